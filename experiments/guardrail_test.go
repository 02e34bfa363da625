package experiments

import (
	"math/rand/v2"
	"testing"

	"quintet/experiments/stats"
)

// Looked at forty times, a guardrail whose loss is exactly the margin, the worst case
// in which it must not act, acts no more often than its level allows; one with twice
// the loss is found in most experiments.
func TestGuardrailsUnderPeeking(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(11, 5))
	const experiments, looks, each = 600, 40, 500
	run := func(rate float64) (acted, held int) {
		for range experiments {
			control, arm := stats.Proportion{}, stats.Proportion{}
			state := GuardrailOpen
			for range looks {
				for range each {
					control.N, arm.N = control.N+1, arm.N+1
					if random.Float64() < .2 {
						control.Successes++
					}
					if random.Float64() < rate {
						arm.Successes++
					}
				}
				g := Guardrail{Metric: "m", Margin: .1, Action: StopAction}.judge("b", Increase, control, arm,
					float64(min(control.Successes, arm.Successes)), 20_000, Analysis{Alpha: .05})
				if g.State == GuardrailBroken || g.State == GuardrailHolds {
					state = g.State
				}
				if g.State == GuardrailBroken {
					break
				}
			}
			switch state {
			case GuardrailBroken:
				acted++
			case GuardrailHolds:
				held++
			}
		}
		return acted, held
	}
	if acted, held := run(.18); acted > 46 || held > 46 { // 5 % of 600 and three standard errors
		t.Errorf("at the margin %d of %d act and %d hold", acted, experiments, held)
	}
	if acted, held := run(.16); acted < 540 || held > 6 {
		t.Errorf("with twice the loss %d of %d act, %d hold", acted, experiments, held)
	}
	if acted, held := run(.2); held < 300 || acted > 6 {
		t.Errorf("without a loss %d of %d hold, %d act", held, experiments, acted)
	}
}
