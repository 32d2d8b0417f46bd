"""HTML and SVG as a tree: whatever was recorded is text in it, and can never become markup. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree.ElementTree import Element, tostring

Child = Element | str | None


def element(tag: str, *children: Child, **attributes: object) -> Element:
    """`element("p", "text", class_="quiet", data_seq=4)`; None among the children is left out."""
    names = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
    made = Element(tag, {name: str(value) for name, value in names.items() if value is not None})
    last: Element | None = None
    for child in children:
        if isinstance(child, str):
            if last is None:
                made.text = (made.text or "") + child
            else:
                last.tail = (last.tail or "") + child
        elif child is not None:
            made.append(child)
            last = child
    return made


def markup(root: Element) -> str:
    """The tree as HTML text. Texts of script and style stand as they are: they come from this package alone."""
    return tostring(root, encoding="unicode", method="html")


def table(header: Iterable[str], rows: Iterable[Iterable[Child]], **attributes: object) -> Element:
    """A table in a box of its own that scrolls sideways where the page is narrow."""
    head = element("thead", element("tr", *(element("th", title, scope="col") for title in header)))
    body = element("tbody", *(element("tr", *(cell(child) for child in row)) for row in rows))
    return element("div", element("table", head, body, **attributes), class_="wide")


def cell(child: Child) -> Element:
    return child if isinstance(child, Element) and child.tag == "td" else element("td", child)


def code(text: str) -> Element:
    return element("code", text)


def section(title: str, name: str, *children: Child) -> Element:
    return element("section", element("h2", title), *children, id=name)
