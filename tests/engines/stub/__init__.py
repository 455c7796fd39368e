"""An engine that speaks to nothing: what is here is all that an engine needs."""
