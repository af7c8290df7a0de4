"""ePUAP's services wired from the configuration: key, pinned certificates, time-outs; one client per polled box."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from cryptography import x509

from connectors.http import Http, HttpOptions
from gateway.clock import Clock
from gateway.config import Config, secret
from gateway.signatures.messages import MessageTrust
from gateway.transport.client import Endpoint
from gateway.transport.pull import PullBox
from gateway.transport.tpsigning import SigningService
from gateway.transport.wsse import MessageKey, MessageSigner
from gateway.web.push import PushSecurity
from schemas.errors import ConfigError
from schemas.ids import Mailbox
from schemas.opinion import Opinion


def pull_boxes(config: Config) -> list[PullBox]:
    """A client for every mailbox a tenant has polled.

    Raises: ConfigError: no key, no pinned certificate although answers are to be checked, a file that cannot be read,
            or no mailbox at all.
    """
    wanted = [(tenant, Mailbox(box)) for tenant in config.tenants.values() for box in tenant.pull]
    if not wanted:
        raise ConfigError(["żadna gmina nie ma wpisu „pull” / no tenant has a mailbox to poll"])
    settings = config.gateway.epuap
    service = endpoint(config, settings.pull_url)
    return [
        PullBox(service, tenant.subject or box.strip("/").partition("/")[0], box, settings.confirm_digest)
        for tenant, box in wanted
    ]


def push_security(config: Config) -> PushSecurity:
    """What the push endpoint asks of callers and does to its answers. Raises ConfigError as `pull_boxes`."""
    push = config.gateway.push
    trust = _trust(config, "push.caller_certificates", push.caller_certificates) if push.check_caller else None
    if trust is not None:
        signed = frozenset({push.namespace}) if push.signed_parameters else frozenset()
        trust = replace(trust, timestamp_required=push.timestamp_required, signed_headers=signed)
    return PushSecurity(
        check=trust.check if trust else None,
        sign=_signer(config).sign if push.sign_answers else None,
    )


def endpoint(config: Config, address: str) -> Endpoint:
    """One service as configured. Raises ConfigError as `pull_boxes`."""
    settings = config.gateway.epuap
    trust = (
        _trust(config, "epuap.answer_certificates", settings.answer_certificates) if settings.check_answers else None
    )
    return Endpoint(
        address=address,
        http=Http(
            HttpOptions(timeout_s=settings.timeout_s, max_answer_bytes=256 * 1024 * 1024),
            keep_alive_s=settings.keep_alive_s,
        ),
        signer=_signer(config),
        check=trust.check if trust else None,
        signed_faults=settings.signed_faults,
        later=frozenset(map(str, settings.later_codes)),
    )


def second_opinion(config: Config, clock: Clock) -> Callable[[bytes], Opinion] | None:
    """Profil Zaufany's service, where one is to be asked. Raises ConfigError as `pull_boxes`."""
    settings = config.gateway.second_opinion
    if settings.service == "off":
        return None
    files = settings.answer_certificates
    service = Endpoint(
        address=settings.address,
        http=Http(HttpOptions(timeout_s=settings.timeout_s), keep_alive_s=config.gateway.epuap.keep_alive_s),
        signer=_signer(config),
        check=_trust(config, "second_opinion.answer_certificates", files).check if files else None,
    )
    return SigningService(service, call_ids=settings.call_ids, now=clock.now).verify


def _signer(config: Config) -> MessageSigner:
    settings = config.gateway.epuap
    if settings.key is None:
        raise ConfigError(
            ["epuap.key: potrzebny certyfikat zarejestrowany w ePUAP / a registered certificate is needed"]
        )
    try:
        content = config.path(settings.key).read_bytes()
    except OSError as error:
        raise ConfigError([f"epuap.key: {settings.key}: {type(error).__name__}"]) from error
    key = MessageKey.from_pkcs12(content, secret(settings.password, config.folder))
    return MessageSigner(key, lifetime=timedelta(seconds=settings.timestamp_s) if settings.timestamp_s else None)


def _trust(config: Config, key: str, files: tuple[Path, ...]) -> MessageTrust:
    found, problems = [], []
    for file in files:
        try:
            found += x509.load_pem_x509_certificates(config.path(file).read_bytes())
        except (OSError, ValueError) as error:
            problems.append(f"{key}: {file}: {type(error).__name__}")
    if not found and not problems:
        problems.append(f"{key}: brak, a podpisy mają być sprawdzane / none, although signatures are to be checked")
    if problems:
        raise ConfigError(problems)
    skew = timedelta(seconds=config.gateway.epuap.clock_skew_s)
    return MessageTrust(tuple(found), clock_skew=skew)
