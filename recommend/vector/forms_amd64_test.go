package vector

type form struct {
	name   string
	choose func() (back func())
}

func available() (out []form) {
	for use := plainGo; use <= best; use++ {
		out = append(out, form{[...]string{"go", "avx2", "avx512"}[use], func() func() {
			was := best
			best = use
			return func() { best = was }
		}})
	}
	return out
}
