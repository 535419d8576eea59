"""Files of sends: read in chunks, sent by whatever sender there is, with a result for each line and a way to go on."""
