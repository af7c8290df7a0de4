import java.io.ByteArrayInputStream;
import java.io.File;
import java.io.FileInputStream;
import java.io.InputStream;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.Key;
import java.security.PublicKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import javax.xml.XMLConstants;
import javax.xml.crypto.*;
import javax.xml.crypto.dsig.*;
import javax.xml.crypto.dsig.dom.DOMValidateContext;
import javax.xml.crypto.dsig.keyinfo.*;
import javax.xml.parsers.DocumentBuilderFactory;
import org.w3c.dom.*;

/**
 * The JDK's XML signature as an independent judge. Standard input holds one case a line: FILE, then any number of
 * TAB NAME=FILE for detached data. For each ds:Signature it prints a line: FILE, number, verdict, and one letter per
 * reference. Verdict: intact, broken (the value or a reference does not hold), or cannot:REASON when it will not judge.
 * Letters: v valid, x not valid, ? detached data not given, e error.
 */
public class XmlDsigJudge {
    static final String[] IDS = {"Id", "ID", "id"};

    public static void main(String[] arguments) throws Exception {
        boolean secure = arguments.length > 0 && arguments[0].equals("secure");
        var input = new java.io.BufferedReader(new java.io.InputStreamReader(System.in, StandardCharsets.UTF_8));
        var output = new java.io.PrintStream(System.out, true, StandardCharsets.UTF_8);
        for (String line; (line = input.readLine()) != null; ) {
            String[] parts = line.split("\t");
            var detached = new ArrayList<String[]>();
            for (int at = 1; at < parts.length; at++) detached.add(parts[at].split("=", 2));
            judge(parts[0], detached, secure, output);
        }
    }

    static void judge(String file, List<String[]> detached, boolean secure, java.io.PrintStream output) {
        Document document;
        try (InputStream octets = new FileInputStream(file)) {
            DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
            factory.setNamespaceAware(true);
            factory.setFeature("http://apache.org/xml/features/disallow-doctype-decl", true);
            factory.setFeature(XMLConstants.FEATURE_SECURE_PROCESSING, false);
            var builder = factory.newDocumentBuilder();
            builder.setErrorHandler(null);
            document = builder.parse(octets);
        } catch (Exception error) {
            output.println(file + "\t0\tcannot:parse\t");
            return;
        }
        NodeList found = document.getElementsByTagNameNS(XMLSignature.XMLNS, "Signature");
        for (int number = 0; number < found.getLength(); number++)
            output.println(file + "\t" + number + "\t" + verdict((Element) found.item(number), detached, secure));
    }

    static String verdict(Element element, List<String[]> detached, boolean secure) {
        var selector = new Keys();
        var context = new DOMValidateContext(selector, element);
        context.setProperty("org.jcp.xml.dsig.secureValidation", secure);
        registerIds(element.getOwnerDocument().getDocumentElement(), context);
        var factory = XMLSignatureFactory.getInstance("DOM");
        URIDereferencer standard = factory.getURIDereferencer();
        context.setURIDereferencer((reference, within) -> {
            String uri = reference.getURI();
            if (uri == null || uri.isEmpty() || uri.startsWith("#")) return standard.dereference(reference, within);
            for (String[] given : detached)
                if (given[0].equals(uri)) return new OctetStreamData(open(given[1]));
            throw new URIReferenceException("detached");
        });
        StringBuilder letters = new StringBuilder();
        boolean broken = false, unjudged = false;
        XMLSignature signature;
        try {
            signature = factory.unmarshalXMLSignature(context);
        } catch (Exception error) {
            return "cannot:" + why(error) + "\t";
        }
        for (Object item : signature.getSignedInfo().getReferences()) {
            try {
                boolean valid = ((Reference) item).validate(context);
                letters.append(valid ? 'v' : 'x');
                broken |= !valid;
            } catch (Exception error) {
                boolean missing = String.valueOf(rootOf(error).getMessage()).contains("detached");
                letters.append(missing ? '?' : 'e');
                unjudged |= !missing;
            }
        }
        try {
            broken |= !holds(factory, context, selector);
        } catch (Exception error) {
            if (!broken) return "cannot:" + why(error) + "\t" + letters;
        }
        if (broken) return "broken\t" + letters;
        return (unjudged ? "cannot:reference" : "intact") + "\t" + letters;
    }

    /** Each key gets a signature read anew: the JDK remembers the first answer. */
    static boolean holds(XMLSignatureFactory factory, DOMValidateContext context, Keys selector) throws Exception {
        Exception last = null;
        boolean refused = false;
        for (selector.next = 0; selector.next == 0 || selector.next < selector.count; selector.next++) {
            try {
                if (factory.unmarshalXMLSignature(context).getSignatureValue().validate(context)) return true;
                refused = true;
            } catch (Exception error) {
                last = error;
            }
        }
        if (last != null && !refused) throw last;
        return false;
    }

    static InputStream open(String file) {
        try {
            return new ByteArrayInputStream(Files.readAllBytes(Path.of(file)));
        } catch (java.io.IOException error) {
            throw new java.io.UncheckedIOException(error);
        }
    }

    static Throwable rootOf(Throwable error) {
        while (error.getCause() != null && error.getCause() != error) error = error.getCause();
        return error;
    }

    static String why(Throwable error) {
        return String.valueOf(rootOf(error).getMessage()).replaceAll("\\s+", " ");
    }

    static void registerIds(Element element, DOMValidateContext context) {
        for (String name : IDS)
            if (element.hasAttributeNS(null, name)) {
                element.setIdAttributeNS(null, name, true);
                context.setIdAttributeNS(element, null, name);
            }
        for (Node child = element.getFirstChild(); child != null; child = child.getNextSibling())
            if (child instanceof Element) registerIds((Element) child, context);
    }

    /** Offers every key in KeyInfo, one at a time. */
    static class Keys extends KeySelector {
        int next = 0;
        int count = 0;

        public KeySelectorResult select(KeyInfo info, Purpose purpose, AlgorithmMethod method, XMLCryptoContext context)
                throws KeySelectorException {
            var keys = new ArrayList<PublicKey>();
            if (info != null)
                for (Object part : info.getContent()) {
                    if (part instanceof X509Data)
                        for (Object item : ((X509Data) part).getContent())
                            if (item instanceof X509Certificate) keys.add(((X509Certificate) item).getPublicKey());
                    if (part instanceof KeyValue)
                        try {
                            keys.add(((KeyValue) part).getPublicKey());
                        } catch (java.security.KeyException error) {
                            throw new KeySelectorException(error);
                        }
                }
            count = keys.size();
            if (keys.isEmpty()) throw new KeySelectorException("no key");
            Key key = keys.get(Math.min(next, keys.size() - 1));
            return () -> key;
        }
    }
}
