"""Any film to the network's pixels: files, DICOM, arrays; one resize for the whole project."""
