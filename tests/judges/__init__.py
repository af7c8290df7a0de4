"""Independent judges beside our own verdicts: the JDK's XML signature, the xmlsec1 command, signxml, the EU's DSS."""
