"""Answers of Route 53: a document, or an error in the form that its REST API has for all of them."""

import uuid
from collections.abc import Mapping
from xml.etree import ElementTree as ET

from clouds.route53_records import NAMESPACE
from clouds.serving import Response


def success(root: ET.Element) -> Response:
    return _answer(200, root, str(uuid.uuid4()))


def failure(
    status: int, code: str, message: str, headers: Mapping[str, str] | None = None, *, fault: str = "Sender"
) -> Response:
    root, request_id = ET.Element("ErrorResponse"), str(uuid.uuid4())
    error = ET.SubElement(root, "Error")
    ET.SubElement(error, "Type").text = fault
    ET.SubElement(error, "Code").text = code
    ET.SubElement(error, "Message").text = message
    ET.SubElement(root, "RequestId").text = request_id
    return _answer(status, root, request_id, headers)


def _answer(status: int, root: ET.Element, request_id: str, headers: Mapping[str, str] | None = None) -> Response:
    root.set("xmlns", NAMESPACE)
    body = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return Response(status, body, {"content-type": "text/xml", "x-amzn-requestid": request_id, **(headers or {})})
