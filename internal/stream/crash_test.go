package stream

const crashDirVariable = "QUINTET_STREAM_CRASH_DIR"

func crashChild(string) {}
