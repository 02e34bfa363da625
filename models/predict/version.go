package predict

import (
	"encoding/json"
	"time"

	"quintet/internal/learners"
	"quintet/models/lifetime"
	"quintet/models/sendtime"
	"quintet/models/uplift"
)

// State is where a version stands.
type State string

// The states of a version.
const (
	Challenger State = "challenger"
	Champion   State = "champion"
	Retired    State = "retired"
)

// Version is one trained model.
type Version struct {
	Model             string     `json:"model"`
	Version           int64      `json:"version" doc:"Counts from 1 per model"`
	Family            Family     `json:"family"`
	State             State      `json:"state" enum:"challenger,champion,retired"`
	Learner           string     `json:"learner" doc:"What was fitted"`
	TrainedAt         time.Time  `json:"trainedAt"`
	AsOf              time.Time  `json:"asOf" doc:"The moment before which the features of the training set lie; labels come after it"`
	From              time.Time  `json:"from" doc:"Where the data begins"`
	To                time.Time  `json:"to" doc:"Where the data ends, the labels of the test included"`
	DefinitionVersion int64      `json:"definitionVersion"`
	CodeVersion       string     `json:"codeVersion" doc:"Version of the program that trained it"`
	Rows              int64      `json:"rows" doc:"People, or messages, that were learnt from"`
	Seconds           float64    `json:"seconds" doc:"How long training took"`
	Verdict           string     `json:"verdict" doc:"How it compares with the champion, or why it may not be used"`
	Bytes             int64      `json:"bytes" doc:"Size of the artefact"`
	PromotedAt        *time.Time `json:"promotedAt,omitempty"`
	Metrics           *Metrics   `json:"metrics,omitempty" doc:"Absent in lists"`

	artefact []byte
}

// SchemaName is the type's name in the OpenAPI document.
func (Version) SchemaName() string { return "PredictionVersion" }

// Metrics are all figures of a version; each family has its part.
type Metrics struct {
	Sane       bool                  `json:"sane" doc:"Whether the version passed its own test and may be promoted"`
	Candidates []learners.Candidate  `json:"candidates,omitempty" doc:"Cross-validated side by side, the best first"`
	Train      *learners.Measures    `json:"train,omitempty" doc:"Of the cross-validation of the chosen candidate"`
	Test       *learners.Measures    `json:"test,omitempty" doc:"On people as of a later moment"`
	Champion   *Duel                 `json:"champion,omitempty" doc:"Against the champion on the same people"`
	Deciles    []learners.Decile     `json:"deciles,omitempty"`
	Calibrated *learners.Reliability `json:"reliability,omitempty"`
	Importance []learners.Importance `json:"importance,omitempty"`
	Dropped    []learners.Dropped    `json:"dropped,omitempty" doc:"Features that were not used"`
	Confusion  *learners.Confusion   `json:"confusion,omitempty"`
	Lifetime   *LifetimeMetrics      `json:"lifetime,omitempty"`
	Uplift     *UpliftMetrics        `json:"uplift,omitempty"`
	SendTime   *SendTimeMetrics      `json:"sendTime,omitempty"`
	Reference  []Distribution        `json:"reference,omitempty" doc:"How features were distributed in training, which drift is measured against"`
}

// SchemaName is the type's name in the OpenAPI document.
func (Metrics) SchemaName() string { return "PredictionMetrics" }

// Duel compares a challenger with the champion on held-out people.
type Duel struct {
	Version int64   `json:"version"`
	Better  float64 `json:"better" doc:"Mean log-loss of the champion minus that of the challenger; positive is better"`
	Error   float64 `json:"standardError"`
}

// LifetimeMetrics are those of lifetime models.
type LifetimeMetrics struct {
	Models   []LifetimeFit         `json:"models" nullable:"false"`
	Backtest lifetime.Backtest     `json:"backtest"`
	Segments *lifetime.SegmentTest `json:"segments,omitempty" doc:"Whether customers of segments have parameters of their own; absent where no segments are named"`
	Unit     string                `json:"unit" doc:"Unit of time of the parameters"`
	Curve    []LifetimePoint       `json:"curve" nullable:"false" doc:"Repeat purchases of somebody new"`
}

// LifetimeFit is one fitted model.
type LifetimeFit struct {
	Kind          string              `json:"kind"`
	Segment       string              `json:"segment,omitempty" doc:"Segment whose parameters these are; absent for those of all customers"`
	Parameters    []LifetimeParameter `json:"parameters" nullable:"false"`
	LogLikelihood float64             `json:"logLikelihood"`
	HoldOutMAE    float64             `json:"holdOutMae"`
	Failure       string              `json:"failure,omitempty"`
}

// LifetimeParameter is an estimate with its 95 % interval.
type LifetimeParameter struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// LifetimePoint is one of a curve.
type LifetimePoint struct {
	Days      float64 `json:"days"`
	Purchases float64 `json:"purchases"`
}

// UpliftMetrics are those of uplift models, by treatment.
type UpliftMetrics struct {
	Outcome    string            `json:"outcome"`
	Candidates []UpliftCandidate `json:"candidates" nullable:"false"`
	Treatments []UpliftTreatment `json:"treatments" nullable:"false"`
	Policy     uplift.Policy     `json:"policy"`
	Gate       string            `json:"gate" doc:"Whether acting by the estimates may replace the best single action, and why"`
	Passed     bool              `json:"passed"`
}

// UpliftCandidate is one learner on held-out people.
type UpliftCandidate struct {
	Name    string  `json:"name"`
	Qini    float64 `json:"qini" doc:"Mean over treatments of the area between the Qini curve and random targeting, on a validation part"`
	Failure string  `json:"failure,omitempty"`
}

// UpliftTreatment is the judgement of one treatment.
type UpliftTreatment struct {
	Variant   string           `json:"variant"`
	Judgement uplift.Judgement `json:"judgement"`
}

// SendTimeMetrics are those of send-time models.
type SendTimeMetrics struct {
	Chosen     string               `json:"chosen"`
	Candidates []sendtime.Candidate `json:"candidates" nullable:"false"`
	Rates      []float64            `json:"rates" nullable:"false" doc:"Rate of answers by hour of the week, Monday first"`
	Answers    int                  `json:"answers"`
	People     int                  `json:"people"`
	Machine    int                  `json:"machineOpens" doc:"Opens that machines made, which are left out"`
	OffPolicy  *sendtime.Comparison `json:"offPolicy,omitempty" doc:"Against now and a fixed hour, from messages with logged propensities; absent without such"`
}

// Distribution is how one feature was distributed.
type Distribution struct {
	Column string    `json:"column"`
	Edges  []float64 `json:"edges,omitempty"`
	Levels []string  `json:"levels,omitempty"`
	Shares []float64 `json:"shares" doc:"By interval or level; the last is of what is missing or else"`
}

// Job is one run of training or scoring.
type Job struct {
	ID        int64      `json:"id"`
	Model     string     `json:"model"`
	Kind      string     `json:"kind" enum:"train,score"`
	StartedAt time.Time  `json:"startedAt"`
	EndedAt   *time.Time `json:"endedAt,omitempty"`
	Version   int64      `json:"version,omitempty"`
	Result    string     `json:"result,omitempty"`
	Error     string     `json:"error,omitempty"`
	Drift     []Drift    `json:"drift,omitempty" doc:"Of a scoring: features that are distributed otherwise than in training, the most first"`
	Stage     string     `json:"stage,omitempty" doc:"What it is doing; of a job that runs in the process that answers"`
	Progress  float64    `json:"progress" doc:"Share that is done, 0 to 1"`
}

// SchemaName is the type's name in the OpenAPI document.
func (Job) SchemaName() string { return "PredictionJob" }

// Drift is how far the people of today are from those of training.
type Drift struct {
	Column string  `json:"column"`
	PSI    float64 `json:"psi" doc:"Population stability index; above 0.1 worth a look, above 0.25 the model is to be trained anew"`
}

func (m *Metrics) encode() ([]byte, error) { return json.Marshal(m) }
