package experiments

import (
	"net/http"
	"strings"
	"testing"

	"quintet/internal/api"
	"quintet/internal/enginetest"
)

// Every template is a definition that is valid as it is.
func TestTemplates(t *testing.T) {
	t.Parallel()
	list, err := Templates()
	if err != nil || len(list) < 5 {
		t.Fatalf("%d templates, %v", len(list), err)
	}
	for _, template := range list {
		e := template.Experiment
		e.normalise(template.Key)
		if bad := e.validate(); len(bad) > 0 {
			t.Errorf("%s: %v", template.Key, bad)
		}
		if template.Name == "" || template.When == "" || len(template.Fill) == 0 || e.Hypothesis == "" {
			t.Errorf("%s says too little: %+v", template.Key, template)
		}
	}
	s, _ := open(t)
	srv := api.New(api.Options{Logger: enginetest.Logger(t), Auth: tokens{}})
	s.Routes(srv)
	for path, want := range map[string]int{"": http.StatusOK, "/price-test": http.StatusOK, "/none": http.StatusNotFound} {
		w := call(srv, "reader", "GET", "/v1/experiment-templates"+path, "")
		if w.Code != want || want == http.StatusOK && !strings.Contains(w.Body.String(), "price-test") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}
