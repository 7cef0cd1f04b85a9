"""Places in a picture as text: one writer and one strict reader for each way in which models write them."""
