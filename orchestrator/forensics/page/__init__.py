"""The report: one HTML file that needs no network, opens from a mail, and prints. Pure.

    elements     HTML and SVG as a tree, so that nothing that was recorded can become markup
    picture      the timeline of all lanes
    sections     what is told, a function each
    document     the whole page, its style and script with it
"""
