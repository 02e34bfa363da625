package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"quintet/internal/api"
)

// shopPage is a page of a shop that has Segment's library, from where the shop
// is. It tells in its title when all has been sent.
const shopPage = `<!doctype html><html><head><title>sending</title></head><body>
<script src="/library/index.js"></script>
<script type="module">
const { AnalyticsBrowser } = window.AnalyticsNext;
const analytics = AnalyticsBrowser.load({ writeKey: %q, cdnURL: %q });
await analytics.identify('browser-user', { email: 'Browser@Example.org' });
for (let n = 0; n < 5; n++) await analytics.track('Seen In A Browser', { n });
await analytics.page('Shop');
await analytics.group('acme', { size: 3 });
await new Promise((done) => setTimeout(done, 1500));
document.title = 'sent';
</script></body></html>`

// Segment's library in a real browser, on a page of another origin: settings,
// preflights, plain-text bodies with the key inside.
func TestLibraryInABrowser(t *testing.T) {
	t.Parallel()
	browser := os.Getenv("QUINTET_TEST_BROWSER")
	if browser == "" {
		t.Skip("QUINTET_TEST_BROWSER names no browser")
	}
	needClients(t)
	r := openResident(t, residentConfig(t))
	key, _ := r.newKey(api.ScopeIngest)
	shop := http.NewServeMux()
	shop.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, shopPage, key, r.base)
	})
	library := filepath.Join(clientsDir, "node_modules", "@segment", "analytics-next", "dist", "umd")
	shop.Handle("GET /library/", http.StripPrefix("/library/", http.FileServer(http.Dir(library))))
	page := httptest.NewServer(shop)
	t.Cleanup(page.Close)

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	run := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--user-data-dir="+t.TempDir(), "--virtual-time-budget=15000", "--dump-dom", page.URL+"/")
	out, err := run.Output()
	if err != nil {
		t.Fatalf("the browser: %v\n%s", err, out)
	}
	r.flush()
	for query, want := range map[string]uint64{
		"SELECT uniqExact(numbers['n']) FROM events WHERE event = 'Seen In A Browser' AND user_id = 'browser-user' AND anonymous_id != ''": 5,
		"SELECT count() FROM events WHERE event = 'Seen In A Browser'":                                                                     5,
		"SELECT count() FROM events WHERE event = '$page' AND JSONExtractString(properties, 'name') = 'Shop'":                              1,
		"SELECT count() FROM events WHERE event = '$group'":                                                                                1,
	} {
		if n := r.number(query); n != want {
			t.Errorf("%s: %d, want %d\n%s", query, n, want, out)
		}
	}
	var person struct{ Traits map[string]any }
	if err := r.client.Get(t.Context(), "/v1/profiles/email:browser@example.org", &person); err != nil || person.Traits["email"] != "Browser@Example.org" {
		t.Errorf("the person: %v %v", person.Traits, err)
	}
}
