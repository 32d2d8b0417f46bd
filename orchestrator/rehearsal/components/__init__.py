"""The objects of a 3scale installation, part by part: pure functions from a site to API objects."""
