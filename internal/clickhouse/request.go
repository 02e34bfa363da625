package clickhouse

import (
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	chcompress "github.com/ClickHouse/ch-go/compress"
	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// transportParameters are URL parameters of ClickHouse's HTTP interface that
// are not settings of the query. Those about sessions, progress and buffering
// have no effect here: a request is answered when its result is complete.
var transportParameters = map[string]bool{
	"query": true, "database": true, "default_format": true, "user": true, "password": true,
	"query_id": true, "quota_key": true, "client_protocol_version": true, "compress": true, "decompress": true,
	"network_compression_method": true, "network_zstd_compression_level": true, "enable_http_compression": true,
	"http_zlib_compression_level": true, "session_id": true, "session_timeout": true, "session_check": true,
	"wait_end_of_query": true, "buffer_size": true, "send_progress_in_http_headers": true,
	"http_headers_progress_interval_ms": true, "cancel_http_readonly_queries_on_client_close": true,
	"role": true, "stacktrace": true, "http_write_exception_in_output_format": true, "close_session": true,
	"http_response_buffer_size": true, "output_format_native_use_http_framing": true,
}

// request is what a client of the HTTP interface asks.
type request struct {
	query       string
	body        io.Reader
	statement   statement
	compression chcompress.Method // of the answer's blocks, when compressed
	compressed  bool
}

// readRequest takes a request of the HTTP interface apart. Settings and
// parameters go into the statement; its text is not looked at yet.
func readRequest(r *http.Request) (*request, error) {
	values := r.URL.Query()
	q := &request{body: http.NoBody}
	if r.Body != nil {
		q.body = r.Body
	}
	if err := q.decode(r.Header.Get("Content-Encoding")); err != nil {
		return nil, err
	}
	if err := q.form(r, values); err != nil {
		return nil, err
	}
	q.query = values.Get("query")
	st := &q.statement
	st.database = first(values.Get("database"), r.Header.Get("X-ClickHouse-Database"))
	st.format = first(values.Get("default_format"), r.Header.Get("X-ClickHouse-Format"), "TabSeparated")
	st.settings, st.params = map[string]string{}, map[string]string{}
	for name := range values {
		if param, ok := strings.CutPrefix(name, "param_"); ok {
			st.params[param] = values.Get(name)
		} else if !transportParameters[name] {
			st.settings[name] = values.Get(name)
		}
	}
	if v := values.Get("client_protocol_version"); v != "" {
		revision, err := strconv.ParseUint(v, 10, 32)
		if err != nil {
			return nil, newException(codeBadArguments, "client_protocol_version must be a number, not %q", v)
		}
		st.revision = revision
	}
	if values.Get("decompress") == "1" {
		q.body = newBlockDecompressor(q.body)
	}
	if values.Get("compress") == "1" {
		q.compressed, q.compression = true, chcompress.LZ4
		if strings.EqualFold(values.Get("network_compression_method"), "ZSTD") {
			q.compression = chcompress.ZSTD
		}
	}
	return q, nil
}

// decode undoes the Content-Encoding of the body.
func (q *request) decode(encoding string) (err error) {
	switch strings.ToLower(encoding) {
	case "", "identity":
	case "gzip":
		q.body, err = gzip.NewReader(q.body)
	case "deflate":
		q.body, err = zlib.NewReader(q.body)
	case "br":
		q.body = brotli.NewReader(q.body)
	case "zstd":
		var d *zstd.Decoder
		if d, err = zstd.NewReader(q.body, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20)); err == nil {
			q.body = d.IOReadCloser()
		}
	case "lz4":
		q.body = lz4.NewReader(q.body)
	default:
		return newException(codeBadArguments, "Content-Encoding %q is not one of gzip, deflate, br, zstd, lz4", encoding)
	}
	var corrupt flate.CorruptInputError
	if err != nil && (errors.Is(err, gzip.ErrHeader) || errors.Is(err, zlib.ErrHeader) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &corrupt)) {
		return newException(codeBadArguments, "the body is not in Content-Encoding %s: %v", encoding, err)
	}
	if err != nil {
		return fmt.Errorf("reading the request: %w", err)
	}
	return nil
}

// maxFormField bounds the fields of a form, which some clients use for the
// query and its parameters.
const maxFormField = 1 << 20

// form moves the fields of a multipart form among the URL's parameters.
func (q *request) form(r *http.Request, values url.Values) error {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" || params["boundary"] == "" {
		return nil
	}
	parts, err := r.MultipartReader()
	if err != nil {
		return newException(codeBadArguments, "the form cannot be read: %v", err)
	}
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			q.body = http.NoBody
			return nil
		}
		if err != nil {
			return newException(codeBadArguments, "the form cannot be read: %v", err)
		}
		name := part.FormName()
		if part.FileName() != "" || name != "query" && !strings.HasPrefix(name, "param_") {
			return newException(48, "external tables (form field %q) are not supported", name)
		}
		text, err := io.ReadAll(io.LimitReader(part, maxFormField+1))
		if err != nil || len(text) > maxFormField {
			return newException(codeBadArguments, "form field %q cannot be read or is longer than %d bytes", name, maxFormField)
		}
		values.Set(name, string(text))
	}
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// blockDecompressor reads ClickHouse's compressed blocks.
type blockDecompressor struct {
	raw    io.Reader
	passed int64 // bytes read from raw
	blocks *chcompress.Reader
}

func newBlockDecompressor(raw io.Reader) *blockDecompressor {
	d := &blockDecompressor{raw: raw}
	d.blocks = chcompress.NewReader(rawBytes{d})
	return d
}

// rawBytes is the compressed side of a blockDecompressor.
type rawBytes struct{ *blockDecompressor }

func (r rawBytes) Read(p []byte) (int, error) {
	n, err := r.raw.Read(p)
	r.passed += int64(n)
	return n, err
}

// Read gives decompressed bytes. Only an end between two blocks is io.EOF.
func (d *blockDecompressor) Read(p []byte) (int, error) {
	before := d.passed
	n, err := d.blocks.Read(p)
	var corrupted *chcompress.CorruptedDataErr
	switch {
	case errors.As(err, &corrupted):
		return n, newException(codeBadArguments, "the body is not in ClickHouse's compressed blocks: %v", err)
	case errors.Is(err, io.EOF) && d.passed == before:
		return n, io.EOF
	case errors.Is(err, io.EOF):
		return n, io.ErrUnexpectedEOF
	}
	return n, err
}
