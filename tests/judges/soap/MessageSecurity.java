import java.io.FileInputStream;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import org.apache.wss4j.common.WSEncryptionPart;
import org.apache.wss4j.common.crypto.Merlin;
import org.apache.wss4j.common.util.WSTimeSource;
import org.apache.wss4j.dom.WSConstants;
import org.apache.wss4j.dom.WSDataRef;
import org.apache.wss4j.dom.engine.WSSConfig;
import org.apache.wss4j.dom.engine.WSSecurityEngine;
import org.apache.wss4j.dom.engine.WSSecurityEngineResult;
import org.apache.wss4j.dom.handler.RequestData;
import org.apache.wss4j.dom.handler.WSHandlerResult;
import org.apache.wss4j.dom.message.WSSecHeader;
import org.apache.wss4j.dom.message.WSSecSignature;
import org.apache.wss4j.dom.message.WSSecTimestamp;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.Node;

/** WS-Security of the partner: signs as told, honestly or not, and believes only the pinned certificate. */
final class MessageSecurity {
    static final String SOAP = "http://schemas.xmlsoap.org/soap/envelope/";
    static final String OBI = "http://wsdl.epuap.gov.pl/obiekty/";
    private final Merlin own;
    private final Merlin stranger;
    private final Merlin trusted;
    private final String password;

    MessageSecurity(String ownFile, String strangerFile, String password, String pinnedFile) throws Exception {
        this.password = password;
        own = keys(ownFile);
        stranger = keys(strangerFile);
        KeyStore pinned = KeyStore.getInstance("PKCS12");
        pinned.load(null, null);
        try (var in = new FileInputStream(pinnedFile)) {
            pinned.setCertificateEntry("pinned", CertificateFactory.getInstance("X.509").generateCertificate(in));
        }
        trusted = new Merlin();
        trusted.setTrustStore(pinned);
    }

    private Merlin keys(String file) throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        try (var in = new FileInputStream(file)) {
            store.load(in, password.toCharArray());
        }
        var crypto = new Merlin();
        crypto.setKeyStore(store);
        return crypto;
    }

    /**
     * Signs an envelope in place. `how`: good, timestamp, headers (parameters signed too), strict (both), inclusive
     * (C14N), loose (an unsigned Timestamp); and against the rules: unsigned, stranger, tampered, wrapped, stale,
     * early, empty (only the Timestamp is signed), sha1.
     */
    void sign(Document envelope, String how) throws Exception {
        if (how.equals("unsigned")) return;
        var header = new WSSecHeader(envelope);
        header.setMustUnderstand(false);
        header.insertSecurityHeader();
        var parts = new ArrayList<WSEncryptionPart>();
        if (!how.equals("empty")) parts.add(new WSEncryptionPart("Body", SOAP, "Element"));
        if (List.of("timestamp", "strict", "stale", "early", "empty").contains(how)) {
            stamp(header, how);
            parts.add(new WSEncryptionPart("Timestamp", WSConstants.WSU_NS, "Element"));
        }
        if (how.equals("headers") || how.equals("strict"))
            for (Element block : children(child(envelope.getDocumentElement(), SOAP, "Header")))
                if (OBI.equals(block.getNamespaceURI()))
                    parts.add(new WSEncryptionPart(block.getLocalName(), OBI, "Element"));
        var crypto = how.equals("stranger") ? stranger : own;
        var signature = new WSSecSignature(header);
        signature.setUserInfo(crypto.getKeyStore().aliases().nextElement(), password);
        signature.setKeyIdentifierType(WSConstants.BST_DIRECT_REFERENCE);
        signature.setSignatureAlgorithm(how.equals("sha1") ? WSConstants.RSA_SHA1 : WSConstants.RSA_SHA256);
        signature.setDigestAlgo(how.equals("sha1") ? WSConstants.SHA1 : WSConstants.SHA256);
        if (how.equals("inclusive")) signature.setSigCanonicalization(WSConstants.C14N_OMIT_COMMENTS);
        signature.getParts().addAll(parts);
        signature.build(crypto);
        if (how.equals("loose")) stamp(header, how);
        if (how.equals("tampered")) tamper(child(envelope.getDocumentElement(), SOAP, "Body"));
        if (how.equals("wrapped")) wrap(envelope);
    }

    /** Whose certificate signed the Body of this envelope, by its place; raises for anything else. */
    String verify(Document envelope) throws Exception {
        var request = new RequestData();
        request.setWssConfig(WSSConfig.getNewInstance());
        request.setSigVerCrypto(trusted);
        WSHandlerResult found = new WSSecurityEngine().processSecurityHeader(envelope, request);
        Element body = child(envelope.getDocumentElement(), SOAP, "Body");
        if (found != null)
            for (WSSecurityEngineResult result : found.getActionResults().getOrDefault(WSConstants.SIGN, List.of())) {
                @SuppressWarnings("unchecked")
                var covered = (List<WSDataRef>) result.get(WSSecurityEngineResult.TAG_DATA_REF_URIS);
                var certificate = (X509Certificate) result.get(WSSecurityEngineResult.TAG_X509_CERTIFICATE);
                if (covered.stream().anyMatch(one -> one.getProtectedElement() == body))
                    return certificate.getSubjectX500Principal().getName();
            }
        throw new SecurityException("the Body is not signed");
    }

    private void stamp(WSSecHeader header, String how) throws Exception {
        long shift = switch (how) {
            case "stale" -> -86_400;
            case "early" -> 86_400;
            default -> 0;
        };
        var stamp = new WSSecTimestamp(header);
        stamp.setTimeToLive(300);
        stamp.setWsTimeSource(new WSTimeSource() {
            @Override
            public Instant now() {
                return Instant.now().plusSeconds(shift);
            }
        });
        stamp.build();
    }

    /** Another content under the same signature. */
    private static void tamper(Element body) {
        Element content = (Element) body.getElementsByTagName("zawartosc").item(0);
        Element changed = content != null ? content : (Element) body.getElementsByTagName("kod").item(0);
        changed.setTextContent(content != null ? Base64.getEncoder().encodeToString("<zly/>".getBytes()) : "0");
    }

    /** The signed Body moved into the header, another one in its place: the signature still holds. */
    private static void wrap(Document envelope) {
        Element root = envelope.getDocumentElement();
        Element body = child(root, SOAP, "Body");
        Element other = (Element) body.cloneNode(true);
        other.removeAttributeNS(WSConstants.WSU_NS, "Id");
        root.replaceChild(other, body);
        tamper(other);
        child(root, SOAP, "Header").appendChild(envelope.createElementNS("urn:x", "x:Wrapper")).appendChild(body);
    }

    static Element child(Element parent, String namespace, String name) {
        for (Element one : children(parent))
            if (name.equals(one.getLocalName()) && namespace.equals(one.getNamespaceURI())) return one;
        return null;
    }

    static List<Element> children(Element parent) {
        var found = new ArrayList<Element>();
        for (Node one = parent.getFirstChild(); one != null; one = one.getNextSibling())
            if (one instanceof Element element) found.add(element);
        return found;
    }
}
