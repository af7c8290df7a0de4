"""REST for back offices that fetch and portals that hand in: /api/v1, keys, one tenant each. See docs/api.md."""

from gateway.web.api.app import api
from gateway.web.api.port import BackOffice

__all__ = ["BackOffice", "api"]
