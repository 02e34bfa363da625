package recommend_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"quintet/internal/api"
	"quintet/internal/definitions"
	"quintet/internal/enginetest"
	"quintet/internal/postgres"
	"quintet/recommend"
)

type everybody struct{}

func (everybody) Authenticate(*http.Request) (api.Principal, error) {
	return api.Principal{ID: "test", Name: "test", Kind: "key", Scopes: []api.Scope{api.ScopeAdmin}}, nil
}

func TestManyItemsInOneCall(t *testing.T) {
	t.Parallel()
	pool := enginetest.Postgres(t)
	if err := postgres.Migrate(t.Context(), pool, definitions.Migrations()); err != nil {
		t.Fatal(err)
	}
	store, err := definitions.Open(t.Context(), pool, enginetest.Logger(t))
	if err != nil {
		t.Fatal(err)
	}
	catalogue, err := recommend.Open(store)
	if err != nil {
		t.Fatal(err)
	}
	srv := api.New(api.Options{Auth: everybody{}, Logger: enginetest.Logger(t)})
	catalogue.Routes(srv)
	server := httptest.NewServer(srv.Router)
	t.Cleanup(server.Close)
	call := func(method, path, body string) (int, map[string]any) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, bytes.NewBufferString(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		content, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		var out map[string]any
		_ = json.Unmarshal(content, &out) // an empty answer stays nil
		return response.StatusCode, out
	}
	if status, out := call("PUT", "/v1/items/sku-1", `{"name":"Boot","price":90,"cost":40,"stock":0}`); status != 200 || out["key"] != "sku-1" {
		t.Fatalf("put: %d %v", status, out)
	}
	if catalogue.InStock("sku-1") || catalogue.InStock("unknown") {
		t.Error("stock is wrong")
	}
	if status, out := call("POST", "/v1/items", `{"items":[{"key":"sku-1","name":"Boot","price":90,"stock":3},{"key":"SKU:2","name":"Hat"}]}`); status != 200 || out["accepted"] != 2.0 {
		t.Fatalf("import: %d %v", status, out)
	}
	if !catalogue.InStock("sku-1") || !catalogue.InStock("SKU:2") {
		t.Error("stock is wrong after the import")
	}
	if status, out := call("GET", "/v1/items/sku-1", ""); status != 200 || out["version"] != 2.0 || out["price"] != 90.0 {
		t.Errorf("get: %d %v", status, out)
	}
	for name, body := range map[string]string{
		"items[1].name":  `{"items":[{"key":"a","name":"A"},{"key":"b","name":""}]}`,
		"items[1].key":   `{"items":[{"key":"a","name":"A"},{"key":"a","name":"B"}]}`,
		"items[0].price": `{"items":[{"key":"a","name":"A","price":"ten"}]}`,
	} {
		status, out := call("POST", "/v1/items", body)
		text, _ := json.Marshal(out)
		if status != 422 || !strings.Contains(string(text), name) {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
	if _, ok := catalogue.Items().Get("a"); ok {
		t.Error("a part of a refused import was written")
	}
}
