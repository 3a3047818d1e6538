"""A user's own images with boxes around objects: tables of boxes, and YOLO's folders of label files."""
