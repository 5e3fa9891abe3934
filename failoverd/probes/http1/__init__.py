"""HTTP/1.1 requests and their answers, for every check that asks over it."""
