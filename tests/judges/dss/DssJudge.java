import eu.europa.esig.dss.model.DSSDocument;
import eu.europa.esig.dss.model.FileDocument;
import eu.europa.esig.dss.model.x509.CertificateToken;
import eu.europa.esig.dss.simplereport.SimpleReport;
import eu.europa.esig.dss.spi.DSSUtils;
import eu.europa.esig.dss.spi.validation.CommonCertificateVerifier;
import eu.europa.esig.dss.spi.x509.CommonTrustedCertificateSource;
import eu.europa.esig.dss.validation.SignedDocumentValidator;
import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;

/**
 * The EU's reference implementation. Arguments: certificates (PEM) to trust. Standard input: FILE, then TAB NAME=FILE
 * for detached data, a line each. Prints FILE, signature number, indication, sub-indication, format.
 */
public class DssJudge {
    public static void main(String[] arguments) throws Exception {
        var trusted = new CommonTrustedCertificateSource();
        for (String file : arguments) trusted.addCertificate(DSSUtils.loadCertificate(new File(file)));
        var input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        var output = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        for (String line; (line = input.readLine()) != null; ) judge(line.split("\t"), trusted, output);
    }

    static void judge(String[] parts, CommonTrustedCertificateSource trusted, PrintStream output) {
        try {
            var validator = SignedDocumentValidator.fromDocument(new FileDocument(parts[0]));
            var verifier = new CommonCertificateVerifier();
            verifier.setTrustedCertSources(trusted);
            validator.setCertificateVerifier(verifier);
            var detached = new ArrayList<DSSDocument>();
            for (int at = 1; at < parts.length; at++) {
                String[] given = parts[at].split("=", 2);
                DSSDocument document = new FileDocument(given[1]);
                document.setName(given[0]);
                detached.add(document);
            }
            validator.setDetachedContents(detached);
            SimpleReport report = validator.validateDocument().getSimpleReport();
            int number = 0;
            for (String id : report.getSignatureIdList())
                output.println(parts[0] + "\t" + number++ + "\t" + report.getIndication(id) + "\t"
                    + report.getSubIndication(id) + "\t" + report.getSignatureFormat(id));
            if (number == 0) output.println(parts[0] + "\t0\tnone\tnull\tnull");
        } catch (Exception error) {
            output.println(parts[0] + "\t0\trefused\t" + error.getClass().getSimpleName() + "\tnull");
        }
    }
}
