"""Independent judges beside our own verdicts: the JDK's XML signature and the xmlsec1 command."""
