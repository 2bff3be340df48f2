"""pneumo-serve: an HTTP service with a page, and a DICOM node. Needs the extra `serve`."""
