package api

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"

	"quintet/internal/problem"
)

// ReadBody reads the whole body of r, at most limit bytes; a longer one is a 413.
func ReadBody(r *http.Request, limit int64) ([]byte, error) {
	return readBody(r, limit, nil)
}

// ReadBodyInto is [ReadBody] into the space of buffer, which may be nil. What it
// returns is the body, or with an error what is left of the buffer, to be used again.
func ReadBodyInto(r *http.Request, limit int64, buffer []byte) ([]byte, error) {
	return readBody(r, limit, buffer)
}

// readBody reads into buffer's space.
func readBody(r *http.Request, limit int64, buffer []byte) ([]byte, error) {
	if r.ContentLength > limit {
		return buffer, problem.TooLarge(limit)
	}
	if r.Body == nil {
		return buffer[:0], nil
	}
	if need := r.ContentLength + 1; need > int64(cap(buffer)) {
		buffer = make([]byte, 0, need)
	}
	buffer = buffer[:0]
	for {
		if len(buffer) == cap(buffer) {
			buffer = append(buffer, 0)[:len(buffer)]
		}
		n, err := r.Body.Read(buffer[len(buffer):cap(buffer)])
		buffer = buffer[:len(buffer)+n]
		if int64(len(buffer)) > limit {
			return buffer, problem.TooLarge(limit)
		}
		if errors.Is(err, io.EOF) {
			return buffer, nil
		}
		if err != nil {
			return buffer, bodyError(err)
		}
	}
}

// bodyError is the problem of a body that could not be read.
func bodyError(err error) error {
	var tooLarge *http.MaxBytesError
	var p *problem.Error
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &tooLarge):
		return problem.TooLarge(tooLarge.Limit)
	case errors.As(err, &timeout) && timeout.Timeout():
		return &problem.Error{Status: http.StatusRequestTimeout, Detail: "The body did not arrive in time.", Cause: err}
	}
	return &problem.Error{Status: http.StatusBadRequest, Detail: "The body could not be read to its end.", Cause: err}
}

var gzipReaders = sync.Pool{New: func() any { return new(gzip.Reader) }}

// decodeBody makes r.Body the decoded body, of at most limit bytes.
func decodeBody(r *http.Request, limit int64) error {
	switch strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding"))) {
	case "identity":
		return nil
	case "gzip", "x-gzip":
	default:
		return &problem.Error{
			Status: http.StatusUnsupportedMediaType, Detail: "The body may be sent as it is or with gzip.",
			Fields: problem.Invalid{{Field: "header.Content-Encoding", Rule: "must be gzip or absent", Value: r.Header.Get("Content-Encoding")}},
		}
	}
	decoder := gzipReaders.Get().(*gzip.Reader)
	if err := decoder.Reset(r.Body); err != nil {
		gzipReaders.Put(decoder)
		return notGzip(err)
	}
	r.Body = &gzipBody{decoder: decoder, source: r.Body, limit: limit, left: limit}
	r.ContentLength = -1
	r.Header.Del("Content-Encoding")
	r.Header.Del("Content-Length")
	return nil
}

// gzipBody is a decoded body. It is used by one goroutine, as any body.
type gzipBody struct {
	decoder     *gzip.Reader
	source      io.ReadCloser
	limit, left int64
}

// Read fails with the error of a body over its limit once more than limit bytes
// came out, so that a small body cannot become a huge one.
func (b *gzipBody) Read(p []byte) (int, error) {
	if b.decoder == nil {
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := b.decoder.Read(p)
	b.left -= int64(n)
	if b.left < 0 {
		return 0, &http.MaxBytesError{Limit: b.limit}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = notGzip(err)
	}
	return n, err
}

// Close gives the decoder back.
func (b *gzipBody) Close() error {
	if b.decoder != nil {
		gzipReaders.Put(b.decoder)
		b.decoder = nil
	}
	return b.source.Close()
}

// notGzip is the problem of a body that cannot be decoded, or of the connection
// below it.
func notGzip(err error) error {
	var tooLarge *http.MaxBytesError
	var timeout interface{ Timeout() bool }
	if errors.As(err, &tooLarge) || errors.As(err, &timeout) && timeout.Timeout() {
		return bodyError(err)
	}
	return &problem.Error{Status: http.StatusBadRequest, Detail: "The body is not whole and valid gzip.", Cause: err}
}

const (
	maxDrain  = 16 << 20
	drainTime = 3 * time.Second
)

// drain reads the rest of a body that is refused for its length, within bounds.
// A caller that is still sending would otherwise see a broken connection instead
// of the 413. One that asked before sending has nothing on the way.
func drain(rc *requestContext, expect string) {
	if rc == nil || rc.body == nil || expect != "" {
		return
	}
	// A writer without deadlines is a test's, whose body does not block.
	_ = http.NewResponseController(&rc.writer).SetReadDeadline(time.Now().Add(drainTime))
	// What happens to the rest of the body does not matter: the answer is the same.
	_, _ = io.CopyN(io.Discard, rc.body, maxDrain)
}
