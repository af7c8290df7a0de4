import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import jakarta.xml.soap.MessageFactory;
import jakarta.xml.soap.MimeHeaders;
import jakarta.xml.soap.SOAPConnectionFactory;
import jakarta.xml.soap.SOAPConstants;
import jakarta.xml.soap.SOAPElement;
import jakarta.xml.soap.SOAPMessage;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.security.MessageDigest;
import java.util.ArrayDeque;
import java.util.Base64;
import java.util.Deque;
import java.util.Map;
import java.util.concurrent.Executors;
import javax.xml.namespace.QName;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.dom.DOMSource;
import javax.xml.transform.stream.StreamResult;
import org.apache.wss4j.dom.engine.WSSConfig;
import org.w3c.dom.Document;
import org.w3c.dom.Element;

/**
 * A SOAP partner that shares no code with the gateway: SAAJ makes and reads messages, WSS4J secures them, the JDK
 * carries them. Arguments: OWN.p12 STRANGER.p12 PASSWORD PINNED.pem. Prints its port; ends with its standard input.
 *
 * POST /HOW/pull     ePUAP's Pull: judges the request's signature, signs the answer as HOW says (MessageSecurity.sign)
 * POST /HOW/skrytka  ePUAP's Skrytka: nadaj, the same way
 * POST /put          a document into the box
 * POST /call         "HOW URL BASE64 MAILBOX": pushes a document to URL, says whether the answer's signature holds and what it is
 */
public final class SoapPartner {
    private final MessageSecurity security;
    private final Deque<byte[]> box = new ArrayDeque<>();

    private SoapPartner(MessageSecurity security) {
        this.security = security;
    }

    public static void main(String[] arguments) throws Exception {
        WSSConfig.init();
        var partner =
                new SoapPartner(new MessageSecurity(arguments[0], arguments[1], arguments[2], arguments[3]));
        var server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 64);
        server.setExecutor(Executors.newFixedThreadPool(4));
        server.createContext("/", partner::serve);
        server.start();
        System.out.println(server.getAddress().getPort());
        while (System.in.read() >= 0) {}
        System.exit(0);
    }

    private void serve(HttpExchange exchange) throws IOException {
        byte[] asked = exchange.getRequestBody().readAllBytes();
        String[] path = exchange.getRequestURI().getPath().split("/");
        byte[] answer;
        int status = 200;
        try {
            answer = switch (path[path.length - 1]) {
                case "put" -> put(asked);
                case "call" -> call(new String(asked).split(" ")).getBytes("UTF-8");
                default -> office(asked, path[1]);
            };
        } catch (Exception error) {
            status = 500;
            answer = fault(error);
        }
        exchange.getResponseHeaders().set("Content-Type", "text/xml; charset=utf-8");
        exchange.sendResponseHeaders(status, answer.length);
        exchange.getResponseBody().write(answer);
        exchange.close();
    }

    private synchronized byte[] put(byte[] document) {
        box.add(document);
        return new byte[0];
    }

    // --- a server, as ePUAP is one ----------------------------------------------------------------------------------

    private synchronized byte[] office(byte[] asked, String how) throws Exception {
        Document request = document(read(asked));
        security.verify(request);
        Element body = MessageSecurity.child(request.getDocumentElement(), MessageSecurity.SOAP, "Body");
        Element content = MessageSecurity.children(body).get(0);
        SOAPMessage answer = MessageFactory.newInstance(SOAPConstants.SOAP_1_1_PROTOCOL).createMessage();
        switch (content.getLocalName()) {
            case "ZapytaniePullOczekujace" ->
                status(answer, "OdpowiedzPullOczekujace").addChildElement("oczekujace").setValue("" + box.size());
            case "ZapytaniePullPobierz" -> head(status(answer, "OdpowiedzPullPobierz"));
            case "ZapytaniePullPotwierdz" -> {
                confirm(text(content, "skrot"));
                status(answer, "OdpowiedzPullPotwierdz");
            }
            case "Dokument" -> {
                box.add(Base64.getDecoder().decode(text(content, "zawartosc")));
                var sent = status(answer, "OdpowiedzSkrytki");
                sent.addChildElement("identyfikatorDokumentu").setValue("4711");
                sent.addChildElement("identyfikatorUpp").setValue("4712");
            }
            default -> throw new IllegalArgumentException(content.getLocalName());
        }
        Document whole = document(answer);
        security.sign(whole, how);
        return octets(whole);
    }

    private static SOAPElement status(SOAPMessage answer, String name) throws Exception {
        var element = answer.getSOAPBody().addBodyElement(new QName(MessageSecurity.OBI, name, "p140"));
        var status = element.addChildElement("status");
        status.addChildElement("kod").setValue("1");
        status.addChildElement("komunikat").setValue("OK");
        return element;
    }

    private void head(SOAPElement answer) throws Exception {
        if (box.isEmpty()) return;
        var party = answer.addChildElement("danePodmiotu");
        for (var one : Map.of("identyfikator", "test", "typOsoby", "F", "zgoda", "true").entrySet())
            party.addChildElement(one.getKey()).setValue(one.getValue());
        answer.addChildElement("dataNadania").setValue("2026-02-03T10:11:12.000");
        answer.addChildElement("czyTestowe").setValue("false");
        var file = answer.addChildElement("dokument");
        file.addChildElement("nazwaPliku").setValue("pismo.xml");
        file.addChildElement("zawartosc").setValue(Base64.getMimeEncoder().encodeToString(box.peek()));
    }

    private void confirm(String digest) throws Exception {
        byte[] wanted = MessageDigest.getInstance("SHA-1").digest(box.element());
        if (!Base64.getEncoder().encodeToString(wanted).equals(digest)) throw new IllegalStateException("skrot");
        box.remove();
    }

    private static byte[] fault(Exception error) throws IOException {
        try {
            var answer = MessageFactory.newInstance(SOAPConstants.SOAP_1_1_PROTOCOL).createMessage();
            var fault = answer.getSOAPBody().addFault(new QName(MessageSecurity.SOAP, "Client"), "" + error);
            var exception = fault.addDetail().addDetailEntry(new QName(MessageSecurity.OBI, "Wyjatek", "obi"));
            exception.addChildElement("kod").setValue("-2");
            exception.addChildElement("komunikat").setValue("" + error.getMessage());
            return octets(document(answer));
        } catch (Exception worse) {
            throw new IOException(worse);
        }
    }

    // --- a client, as ePUAP is one when it pushes -------------------------------------------------------------------

    private String call(String[] order) throws Exception {
        SOAPMessage message = MessageFactory.newInstance(SOAPConstants.SOAP_1_1_PROTOCOL).createMessage();
        for (var one : Map.of("AdresSkrytki", order[3], "AdresOdpowiedzi", "/test/domyslna", "CzyTestowe", "false")
                .entrySet())
            message.getSOAPHeader().addChildElement(new QName(MessageSecurity.OBI, one.getKey(), "obi"))
                    .setValue(one.getValue());
        var file = message.getSOAPBody().addBodyElement(new QName(MessageSecurity.OBI, "Dokument", "obi"));
        file.addChildElement("nazwaPliku").setValue("pismo.xml");
        file.addChildElement("zawartosc").setValue(order[2]);
        Document whole = document(message);
        security.sign(whole, order[0]);
        var connection = SOAPConnectionFactory.newInstance().createConnection();
        try {
            SOAPMessage answer = connection.call(read(octets(whole)), URI.create(order[1]).toURL());
            return judged(answer);
        } finally {
            connection.close();
        }
    }

    /** One line each: the signer of the answer or why its signature does not hold; the code; the text; the receipt. */
    private String judged(SOAPMessage answer) throws Exception {
        Document whole = document(answer);
        String signer;
        try {
            signer = security.verify(whole);
        } catch (Exception error) {
            signer = "! " + error.getMessage();
        }
        Element body = MessageSecurity.child(whole.getDocumentElement(), MessageSecurity.SOAP, "Body");
        String said = answer.getSOAPBody().hasFault() ? text(body, "faultstring") : text(body, "komunikat");
        return String.join("\n", signer, text(body, "kod"), said, text(body, "zawartosc"));
    }

    // --- messages ---------------------------------------------------------------------------------------------------

    private static SOAPMessage read(byte[] octets) throws Exception {
        var headers = new MimeHeaders();
        headers.addHeader("Content-Type", "text/xml; charset=utf-8");
        headers.addHeader("SOAPAction", "\"\"");
        return MessageFactory.newInstance(SOAPConstants.SOAP_1_1_PROTOCOL)
                .createMessage(headers, new ByteArrayInputStream(octets));
    }

    private static Document document(SOAPMessage message) throws Exception {
        var out = new ByteArrayOutputStream();
        message.writeTo(out);
        var factory = DocumentBuilderFactory.newInstance();
        factory.setNamespaceAware(true);
        return factory.newDocumentBuilder().parse(new ByteArrayInputStream(out.toByteArray()));
    }

    private static byte[] octets(Document document) throws Exception {
        var out = new ByteArrayOutputStream();
        TransformerFactory.newInstance().newTransformer().transform(new DOMSource(document), new StreamResult(out));
        return out.toByteArray();
    }

    private static String text(Element parent, String name) {
        var found = parent.getElementsByTagName(name);
        return found.getLength() == 0 ? "" : found.item(0).getTextContent();
    }
}
