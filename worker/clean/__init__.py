"""Pure cleaning of values: text, encodings, dates, URLs, languages, names, markup. No I/O."""
