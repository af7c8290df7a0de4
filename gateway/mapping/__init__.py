"""Tables of XPath expressions that read a document into a case, and a case into a back office's record."""
