"""The live page: what `edgeseg run --page` serves to browsers. `sink.PageSink` is its door; `static/` is what browsers get."""
