"""What somebody does by hand in the console, in words like those of a zone file."""

from dataclasses import replace

from clouds.oci_records import Record, domain_of, rdata_of, type_of
from clouds.oci_zones import Book


def change(book: Book, line: str) -> None:
    """Do "add NAME TTL TYPE RDATA" or "delete NAME [TYPE [RDATA]]"; what is protected stays."""
    verb, name, *rest = line.split(maxsplit=4 if line.startswith("add ") else 3)
    domain = domain_of(name)
    there = book.setdefault(domain, [])
    match verb, rest:
        case "add", [ttl, rtype, rdata]:
            book[domain] = _with(there, Record(domain, type_of(rtype), rdata_of(type_of(rtype), rdata), int(ttl)))
        case "delete", []:
            book[domain] = [record for record in there if record.protected]
        case "delete", [rtype]:
            book[domain] = [record for record in there if record.protected or record.rtype != type_of(rtype)]
        case "delete", [rtype, rdata]:
            gone = (type_of(rtype), rdata_of(type_of(rtype), rdata))
            book[domain] = [record for record in there if record.protected or (record.rtype, record.rdata) != gone]
        case _:
            raise ValueError(f"no edit: {line!r}")


def _with(there: list[Record], new: Record) -> list[Record]:
    """The records with a new one, which brings its TTL to its whole set."""
    same_ttl = [replace(record, ttl=new.ttl) if record.rtype == new.rtype else record for record in there]
    return list(dict.fromkeys([*same_ttl, new]))
