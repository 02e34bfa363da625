package clickhouse

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	chcompress "github.com/ClickHouse/ch-go/compress"
)

// contentTypes of the formats that clients look at it for.
var contentTypes = map[string]string{
	"native": "application/octet-stream", "rowbinary": "application/octet-stream",
	"rowbinarywithnamesandtypes": "application/octet-stream", "rowbinarywithnames": "application/octet-stream",
	"arrow": "application/octet-stream", "arrowstream": "application/octet-stream", "parquet": "application/octet-stream",
	"json": "application/json; charset=UTF-8", "jsoncompact": "application/json; charset=UTF-8",
	"jsonstrings": "application/json; charset=UTF-8", "jsoneachrow": "application/x-ndjson; charset=UTF-8",
	"jsoncompacteachrow": "application/x-ndjson; charset=UTF-8", "csv": "text/csv; charset=UTF-8; header=absent",
	"csvwithnames": "text/csv; charset=UTF-8; header=present", "xml": "application/xml; charset=UTF-8",
	"tabseparated": "text/tab-separated-values; charset=UTF-8", "tsv": "text/tab-separated-values; charset=UTF-8",
	"tabseparatedwithnames": "text/tab-separated-values; charset=UTF-8",
}

// compressFrom is the size in bytes from which compressing an answer pays.
const compressFrom = 1 << 10

// writeAnswer sends a result, compressed in the way that was asked for.
func writeAnswer(w http.ResponseWriter, r *http.Request, q *request, a *answer) {
	format := q.statement.outputFormat()
	header := w.Header()
	header.Set("X-ClickHouse-Format", format)
	header.Set("X-ClickHouse-Timezone", "UTC")
	if id := r.URL.Query().Get("query_id"); id != "" && len(id) <= 128 {
		header.Set("X-ClickHouse-Query-Id", id)
	}
	header.Set("X-ClickHouse-Summary", fmt.Sprintf(
		`{"read_rows":"%d","read_bytes":"%d","written_rows":"%d","written_bytes":"%d","result_bytes":"%d"}`,
		a.summary.readRows, a.summary.readBytes, a.summary.writtenRows, a.summary.writtenBytes, len(a.body)))
	contentType, ok := contentTypes[strings.ToLower(format)]
	if !ok {
		contentType = "text/plain; charset=UTF-8"
	}
	header.Set("Content-Type", contentType)
	body := a.body
	if q.compressed {
		var err error
		if body, err = compressBlocks(body, q.compression); err != nil {
			writeError(w, fmt.Errorf("compressing the result: %w", err))
			return
		}
	} else if len(body) >= compressFrom && acceptsGzip(r) {
		header.Set("Content-Encoding", "gzip")
		header.Add("Vary", "Accept-Encoding")
		if r.Method == http.MethodHead {
			return
		}
		// A caller who goes away is the only reason for an error here.
		z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
		_, _ = z.Write(body)
		_ = z.Close()
		return
	}
	header.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}

// compressBlocks frames data in ClickHouse's own compressed blocks.
func compressBlocks(data []byte, method chcompress.Method) ([]byte, error) {
	const blockSize = 1 << 20
	z := chcompress.NewWriter(chcompress.LevelZero, method)
	var out []byte
	for len(data) > 0 {
		n := min(blockSize, len(data))
		if err := z.Compress(data[:n]); err != nil {
			return nil, err
		}
		out, data = append(out, z.Data...), data[n:]
	}
	return out, nil
}

func acceptsGzip(r *http.Request) bool {
	for _, part := range strings.Split(r.Header.Get("Accept-Encoding"), ",") {
		name, quality, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") && strings.TrimSpace(quality) != "q=0" {
			return true
		}
	}
	return false
}

// writeError answers with an error in ClickHouse's wording and headers.
func writeError(w http.ResponseWriter, err error) {
	var e *exception
	var tooLarge *http.MaxBytesError
	status := 0
	switch {
	case errors.As(err, &e):
		status = e.status()
	case errors.As(err, &tooLarge):
		e = newException(codeBadArguments, "the body is larger than %d bytes", tooLarge.Limit)
		status = http.StatusRequestEntityTooLarge
	case errors.Is(err, context.DeadlineExceeded):
		e = newException(159, "Timeout exceeded")
		status = http.StatusRequestTimeout
	case errors.Is(err, context.Canceled):
		e = newException(codeCancelled, "The request was cancelled")
		status = http.StatusRequestTimeout
	case errors.Is(err, ErrClosed):
		e = newException(codeCancelled, "The engine is shutting down")
		status = http.StatusServiceUnavailable
	case errors.Is(err, io.ErrUnexpectedEOF):
		e = newException(codeBadArguments, "the body ends too early: %v", err)
		status = http.StatusBadRequest
	default:
		e = newException(codeBadArguments, "%v", err)
		status = http.StatusInternalServerError
	}
	w.Header().Set("X-ClickHouse-Exception-Code", strconv.Itoa(e.code))
	writeText(w, status, e.text+"\n")
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=UTF-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}
