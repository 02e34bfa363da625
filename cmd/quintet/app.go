package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"quintet/console"
	"quintet/decide"
	"quintet/decide/campaigns"
	"quintet/decide/delivery"
	"quintet/decide/outbound"
	"quintet/decide/scenarios"
	"quintet/experiments"
	"quintet/experiments/flags"
	"quintet/experiments/growthbook/backend"
	"quintet/experiments/ofrep"
	"quintet/internal/api"
	"quintet/internal/audit"
	"quintet/internal/auth"
	"quintet/internal/client"
	"quintet/internal/config"
	"quintet/internal/definitions"
	"quintet/internal/engines"
	"quintet/models"
	"quintet/models/predict"
	"quintet/profiles"
	"quintet/profiles/attributes"
	"quintet/profiles/experience"
	"quintet/profiles/quality"
	"quintet/profiles/retention"
	"quintet/recommend"
	"quintet/recommend/lists"
)

// app is the service with everything that it is made of.
type app struct {
	cfg         config.Config
	log         *slog.Logger
	registry    *prometheus.Registry
	engines     *engines.Engines
	definitions *definitions.Store
	auth        *auth.Service
	audit       *audit.Log
	profiles    *profiles.Service
	attributes  *attributes.Service
	experience  *experience.Service
	quality     *quality.Service
	segments    *profiles.Segments
	eraser      *profiles.Eraser
	exporter    *profiles.Exporter
	retention   *retention.Service
	catalogue   *recommend.Service
	lists       *lists.Log
	experiments *experiments.Service
	flags       *flags.Service
	models      *models.Service
	predictions *predict.Service
	decide      *decide.Service
	delivery    *delivery.Service
	outbox      *outbound.Outbox
	campaigns   *campaigns.Service
	scenarios   *scenarios.Service
	policies    *decide.Policies
	server      *api.Server
	local       runningServer // where the service can be called from this machine
	pace        pace
}

// pace is by which clock the service works. The zero value is that of the machine.
type pace struct {
	// now is the clock of all that is decided, dated, due and reported; nil is time.Now.
	// Deadlines, leases of the stream and signatures are by the machine's in any case.
	now func() time.Time
	// storeWait is how long what came in waits for more before it is stored; the
	// stream's own unless set. Whoever moves the clock waits for it at every step.
	storeWait time.Duration
	// stepped leaves to [app.settle] what looks again and again for what is due: models,
	// campaigns, scenarios and deliveries.
	stepped bool
}

// openApp starts the engines, brings their schemas up to date and wires the
// packages together. Nothing serves or consumes before [app.run].
func openApp(ctx context.Context, cfg config.Config, log *slog.Logger) (*app, error) {
	return openAppAt(ctx, cfg, log, pace{})
}

// openAppAt is [openApp] by another clock.
func openAppAt(ctx context.Context, cfg config.Config, log *slog.Logger, p pace) (*app, error) {
	a := &app{cfg: cfg, log: log, registry: prometheus.NewRegistry(), pace: p}
	a.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	var err error
	if a.engines, err = engines.Start(ctx, cfg, log); err != nil {
		return nil, err
	}
	if err := migrate(ctx, a.engines); err != nil {
		return nil, errors.Join(err, a.engines.Close())
	}
	if err := a.openServices(ctx); err != nil {
		return nil, errors.Join(err, a.engines.Close())
	}
	return a, nil
}

func (a *app) openServices(ctx context.Context) (err error) {
	e, now := a.engines, a.pace.now
	if a.definitions, err = definitions.Open(ctx, e.Postgres, a.log, definitions.Clock(now)); err != nil {
		return fmt.Errorf("opening definitions: %w", err)
	}
	refer(a.definitions)
	if a.auth, err = auth.Open(ctx, e.Postgres, a.log); err != nil {
		return fmt.Errorf("opening access control: %w", err)
	}
	if err = a.auth.UseRoles(a.definitions); err != nil {
		return err
	}
	a.audit = audit.Open(e.Postgres, a.log)
	if a.profiles, err = profiles.Open(ctx, profiles.Deps{
		Postgres: e.Postgres, ClickHouse: e.ClickHouse, Stream: e.Stream, Logger: a.log, Registry: a.registry, Keys: a.auth,
		Definitions: a.definitions, Sources: a.auth, UploadDir: filepath.Join(a.cfg.DataDir, "imports"),
		DuplicateMemory: a.cfg.DuplicateMemory, Now: now, StoreWait: a.pace.storeWait,
	}); err != nil {
		return fmt.Errorf("opening profiles: %w", err)
	}
	if a.quality, err = quality.Open(ctx, quality.Deps{
		Logger: a.log, Registry: a.registry, Definitions: a.definitions, Postgres: e.Postgres, ClickHouse: e.ClickHouse, Profiles: a.profiles, Sources: a.auth, Now: now,
	}); err != nil {
		return fmt.Errorf("opening data quality: %w", err)
	}
	if a.attributes, err = attributes.Open(ctx, attributes.Deps{
		Logger: a.log, Definitions: a.definitions, ClickHouse: e.ClickHouse, Profiles: a.profiles,
		Scores: func() string { return a.predictions.Attributes() }, Now: now,
	}); err != nil {
		return fmt.Errorf("opening computed attributes: %w", err)
	}
	if a.predictions, err = predict.Open(predict.Deps{
		Logger: a.log, Definitions: a.definitions, Postgres: e.Postgres, ClickHouse: e.ClickHouse, Version: version, Scored: a.attributes.Wake, Reserved: isBuiltInAttribute, Now: now,
	}); err != nil {
		return fmt.Errorf("opening predictive models: %w", err)
	}
	if a.experience, err = experience.Open(experience.Deps{Definitions: a.definitions, ClickHouse: e.ClickHouse, Table: a.attributes.Table, Now: now}); err != nil {
		return fmt.Errorf("opening customer experience: %w", err)
	}
	if a.segments, err = profiles.OpenSegments(profiles.SegmentDeps{Profiles: a.profiles, Definitions: a.definitions, Now: now}); err != nil {
		return fmt.Errorf("opening segments: %w", err)
	}
	a.attributes.OnChange(a.segments.AttributesChanged)
	if a.lists, err = lists.Open(ctx, lists.Deps{Logger: a.log, Stream: e.Stream, ClickHouse: e.ClickHouse, StoreWait: a.pace.storeWait}); err != nil {
		return fmt.Errorf("opening the log of lists: %w", err)
	}
	if a.catalogue, err = recommend.Open(ctx, recommend.Deps{
		Definitions: a.definitions, Postgres: e.Postgres, ClickHouse: e.ClickHouse, Logger: a.log, Person: a.recommendedPerson, Lists: a.lists, Erasures: a.profiles.Store(), Now: now,
	}); err != nil {
		return fmt.Errorf("opening the catalogue: %w", err)
	}
	a.profiles.Observe(interactionsSeen{a.catalogue})
	if a.experiments, err = experiments.Open(ctx, experiments.Deps{
		Definitions: a.definitions, Postgres: e.Postgres, ClickHouse: e.ClickHouse, Logger: a.log,
		DecisionPointExists: func(key string) bool { return a.decide.HasPoint(key) },
		CheckPolicy:         func(point string, policy json.RawMessage) error { return a.decide.CheckPolicy(point, policy) },
		PointGroups:         func(point string) (experiments.PointGroups, bool) { return a.decide.Groups(point) },
		Person:              a.personFacts,
		PointAt: func(ctx context.Context, point string, at time.Time) (experiments.PointStanding, bool, error) {
			return a.decide.PointAt(ctx, point, at)
		},
		Now: now,
	}); err != nil {
		return fmt.Errorf("opening experiments: %w", err)
	}
	if a.flags, err = flags.Open(ctx, flags.Deps{
		Logger: a.log, Registry: a.registry, Definitions: a.definitions, Experiments: a.experiments,
		People: flagPeople{a.profiles.Store(), a.segments.OfProfile}, Recorder: flagExposures{a.profiles},
		Bandits: flagBandits{func() *decide.Service { return a.decide }}, Now: now,
	}); err != nil {
		return fmt.Errorf("opening flags: %w", err)
	}
	if a.models, err = models.Open(ctx, models.Deps{Postgres: e.Postgres, ClickHouse: e.ClickHouse, Logger: a.log, Registry: a.registry, Stored: a.logged, Now: now}); err != nil {
		return fmt.Errorf("opening models: %w", err)
	}
	if a.decide, err = decide.Open(ctx, decide.Deps{
		Logger: a.log, Registry: a.registry, Definitions: a.definitions, Stream: e.Stream, ClickHouse: e.ClickHouse,
		People: a.profiles.Store(), Contacts: a.profiles.Store(), SendTimes: sendTimes{a.predictions, a.profiles.Store()}, Effects: effects{a.predictions, a.profiles.Store()}, Models: a.models, History: a.models.Trainer(), Trials: a.experiments, Segments: a.segments.OfProfile, Postgres: e.Postgres, Stock: a.catalogue, Recommender: slotItems{a.catalogue, a.profiles.Store()}, Deadline: a.cfg.DecideTimeout,
		Now: now, StoreWait: a.pace.storeWait,
	}); err != nil {
		return fmt.Errorf("opening decisions: %w", err)
	}
	if a.policies, err = decide.OpenPolicies(decide.PoliciesDeps{
		Decide: a.decide, Definitions: a.definitions, Models: a.models, History: a.models.Trainer(), Postgres: e.Postgres, ClickHouse: e.ClickHouse,
		Logger: a.log, Registry: a.registry, Now: now,
	}); err != nil {
		return fmt.Errorf("opening policies: %w", err)
	}
	a.profiles.ShowDecisions(profileDecisions{a.decide})
	if err = a.openDelivery(ctx); err != nil {
		return err
	}
	if err = a.openOutbound(ctx, a.delivery); err != nil {
		return err
	}
	if a.retention, err = retention.Open(retention.Deps{Logger: a.log, Definitions: a.definitions, Postgres: e.Postgres, ClickHouse: e.ClickHouse, Now: now}); err != nil {
		return fmt.Errorf("opening retention: %w", err)
	}
	a.exporter = profiles.OpenExporter(profiles.ExportDeps{Profiles: a.profiles, Segments: a.segments, Decisions: a.decide, Quarantine: a.quality, Lists: []profiles.ExportedList{
		{Name: "campaigns", Each: a.campaigns.EachRecipient}, {Name: "scenarios", Each: a.scenarios.EachRun}, {Name: "messages", Each: a.outbox.EachMessage}, {Name: "deliveries", Each: a.delivery.EachDelivery}, {Name: "predictions", Each: a.predictions.EachScore}, {Name: "recommendations", Each: a.lists.Each},
	}})
	a.eraser = profiles.OpenEraser(profiles.EraserDeps{
		Profiles: a.profiles, Segments: a.segments, Parts: []profiles.ErasurePart{a.attributes, a.decide, a.quality, a.campaigns, a.scenarios, a.outbox, a.delivery, recommenderErase{a.catalogue, a.lists}, predictionsErase{a.predictions}}, ScrubPostgres: e.ScrubPostgres,
		ClickHouseEmbedded: e.ClickHouseEngine.Embedded(), StreamEmbedded: e.Stream.Embedded(),
	})
	a.server = api.New(api.Options{
		Logger: a.log, Auth: a.auth, Auditor: a.audit, BodyLimit: a.cfg.BodyLimit, Registry: a.registry, Ready: a.engines.Health, Version: version,
	})
	a.routes()
	a.lagMetrics()
	return nil
}

func (a *app) routes() {
	a.auth.Routes(a.server)
	a.audit.Routes(a.server)
	a.profiles.Routes(a.server)
	a.attributes.Routes(a.server)
	a.experience.Routes(a.server)
	a.quality.Routes(a.server)
	a.segments.Routes(a.server)
	a.eraser.Routes(a.server)
	a.exporter.Routes(a.server)
	a.retention.Routes(a.server)
	a.catalogue.Routes(a.server)
	a.experiments.Routes(a.server)
	a.flags.Routes(a.server)
	ofrep.Open(ofrep.Deps{Logger: a.log, Flags: a.flags, Keys: a.auth}).Routes(a.server)
	backend.Open(backend.Deps{Logger: a.log, Flags: a.flags, Keys: a.auth}).Routes(a.server)
	a.models.Routes(a.server)
	a.predictions.Routes(a.server)
	a.decide.Routes(a.server)
	a.policies.Routes(a.server)
	a.delivery.Routes(a.server)
	a.campaigns.Routes(a.server)
	a.scenarios.Routes(a.server)
	a.decide.OverviewRoute(a.server, a.overviewSources())
	a.server.MountConsole(console.FS())
}

// run serves on the listener until the context ends, then stops in the order
// in which data flows: first requests, then the consumers of the stream, which
// store what was acknowledged, then the engines.
func (a *app) run(ctx context.Context, listener net.Listener) error {
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	group, work := errgroup.WithContext(work)
	runs := []func(context.Context) error{
		a.definitions.Run, a.auth.Run, a.audit.Run, a.profiles.Run, a.quality.Run, a.decide.Run, a.experiments.Run, a.trim, a.compact, tuneCollector,
		a.policies.Run, a.lists.Run, a.catalogue.Run, a.catalogue.RunFeeds, a.predictions.Run,
	}
	if !a.pace.stepped {
		runs = append(runs, func(ctx context.Context) error { return a.models.Run(ctx, a.policies.Specs) })
	}
	for _, run := range runs {
		group.Go(func() error { return ignoreCanceled(run(work)) })
	}
	// These write events of their own, such as moves between segments: they end
	// before what was written is waited for.
	writing, stopWriting := context.WithCancel(work)
	defer stopWriting()
	written := make(chan struct{})
	var writers sync.WaitGroup
	runs = []func(context.Context) error{a.flags.Run, a.attributes.Run, a.segments.Run, a.eraser.Run, a.retention.Run}
	if !a.pace.stepped {
		runs = append(runs, a.campaigns.Run, a.scenarios.Run, a.outbox.Run, a.delivery.Run)
	}
	for _, run := range runs {
		writers.Add(1)
		group.Go(func() error {
			defer writers.Done()
			return ignoreCanceled(run(writing))
		})
	}
	go func() {
		writers.Wait()
		close(written)
	}()
	serving, stopServing := context.WithCancel(ctx)
	defer stopServing()
	group.Go(func() error { return ignoreCanceled(a.runImports(serving)) })
	go func() { // a broken consumer must not leave a server that takes and keeps
		<-work.Done()
		stopServing()
	}()
	serveErr := ignoreCanceled(a.server.Run(serving, listener, a.cfg.ShutdownTimeout))
	if ctx.Err() != nil {
		a.log.Info("stopping: storing what was acknowledged")
		stopWriting()
		select {
		case <-written:
		case <-time.After(a.cfg.ShutdownTimeout):
		}
		a.drain()
	}
	stopWork()
	return errors.Join(serveErr, group.Wait(), a.engines.Close())
}

// logged is how far the log has followed the streams. The events come first: a decision
// is made before what comes of it.
func (a *app) logged(ctx context.Context) (models.Position, error) {
	events := a.profiles.Stored()
	if events == 0 {
		// Nothing, or not yet known: this waits until it is.
		if _, _, err := a.profiles.EventsLag(ctx); err != nil {
			return models.Position{}, err
		}
		events = a.profiles.Stored()
	}
	decisions, err := a.decide.Stored(ctx)
	return models.Position{Decisions: decisions, Events: events}, err
}

// runImports imports uploaded files, as a client of the service's own API.
func (a *app) runImports(ctx context.Context) error {
	if a.local.Address == "" {
		return nil
	}
	c, err := client.New(client.Options{BaseURL: a.local.Address, Key: a.local.Key, UserAgent: "quintet-imports"})
	if err != nil {
		return fmt.Errorf("importing uploads: %w", err)
	}
	defer c.Close()
	return a.profiles.RunImports(ctx, c)
}

// drain waits, within the shutdown timeout, until the stores hold everything
// that was acknowledged; what is left stays in the stream for the next start.
func (a *app) drain() {
	ctx, cancel := context.WithTimeout(context.Background(), a.cfg.ShutdownTimeout)
	defer cancel()
	if err := errors.Join(a.profiles.Flush(ctx), a.decide.Flush(ctx), a.lists.Flush(ctx)); err != nil {
		a.log.Warn("stopped before everything was stored; the rest follows at the next start", "error", err)
	}
}

func ignoreCanceled(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func (a *app) overviewSources() decide.OverviewSources {
	engine := func(url string) string {
		if url == "" {
			return "embedded"
		}
		return "external"
	}
	return decide.OverviewSources{
		Profiles: a.profiles.Store().Len,
		Lags:     a.lags(),
		Report:   a.experiments.Report,
		Metric:   a.experiments.HoldoutMetric,
		Engines: map[string]string{
			"postgres": engine(a.cfg.PostgresURL), "clickhouse": engine(a.cfg.ClickHouseURL), "stream": engine(a.cfg.NATSURL),
		},
	}
}

type lagFunc = func(context.Context) (messages uint64, age time.Duration, err error)

func (a *app) lags() map[string]lagFunc {
	return map[string]lagFunc{"events": a.profiles.EventsLag, "profiles": a.profiles.ProfilesLag, "decisions": a.decide.Lag, "lists": a.lists.Lag}
}

// lagMetrics exports how far each store is behind the stream.
func (a *app) lagMetrics() {
	for name, lag := range a.lags() {
		labels := prometheus.Labels{"store": name}
		read := func(value func(uint64, time.Duration) float64) func() float64 {
			return func() float64 {
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				defer cancel()
				messages, age, err := lag(ctx)
				if err != nil {
					return -1
				}
				return value(messages, age)
			}
		}
		a.registry.MustRegister(
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Name: "quintet_lag_messages", Help: "Messages of the stream that a store does not have yet; -1 when unknown.", ConstLabels: labels,
			}, read(func(n uint64, _ time.Duration) float64 { return float64(n) })),
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Name: "quintet_lag_seconds", Help: "Age of the oldest message that a store does not have yet; -1 when unknown.", ConstLabels: labels,
			}, read(func(_ uint64, age time.Duration) float64 { return age.Seconds() })),
		)
	}
}

// trim removes from the stream what every store has, but for a tail that helps
// to look into the recent past.
func (a *app) trim(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return a.profiles.Trim(ctx) })
	group.Go(func() error { return a.decide.Trim(ctx) })
	group.Go(func() error { return a.lists.Trim(ctx) })
	return group.Wait()
}
