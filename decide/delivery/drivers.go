package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/time/rate"

	"quintet/decide/channels"
	"quintet/internal/problem"
)

// openDriver is a driver with what it was made of.
type openDriver struct {
	version int64
	config  channels.Config
	secrets map[string]string
	channels.Driver
	limit *rate.Limiter
}

// Setting is the driver of a channel as it is shown: without secrets.
type Setting struct {
	Channel string          `json:"channel"`
	Config  channels.Config `json:"config"`
	// SecretsSet are names only.
	SecretsSet []string  `json:"secretsSet" nullable:"false" doc:"Names of the secrets that are stored; they are never shown"`
	Version    int64     `json:"version"`
	UpdatedAt  time.Time `json:"updatedAt"`
	UpdatedBy  string    `json:"updatedBy"`
}

type driverRow struct {
	Setting
	sealed []byte
}

func scanDriver(row pgx.CollectableRow) (d driverRow, err error) {
	var config []byte
	if err := row.Scan(&d.Channel, &config, &d.sealed, &d.Version, &d.UpdatedAt, &d.UpdatedBy); err != nil {
		return d, err
	}
	return d, json.Unmarshal(config, &d.Config)
}

const selectDrivers = `SELECT channel, config, secrets, version, updated_at, updated_by FROM channel_drivers`

// refreshDrivers takes over what other processes changed.
func (s *Service) refreshDrivers(ctx context.Context) error {
	rows, err := s.pool.Query(ctx, selectDrivers+` ORDER BY channel LIMIT 1000`)
	if err != nil {
		return fmt.Errorf("reading the drivers of channels: %w", err)
	}
	list, err := pgx.CollectRows(rows, scanDriver)
	if err != nil {
		return fmt.Errorf("reading the drivers of channels: %w", err)
	}
	s.driverMu.Lock()
	defer s.driverMu.Unlock()
	next := make(map[string]*openDriver, len(list))
	var errs []error
	for _, row := range list {
		if have := s.drivers[row.Channel]; have != nil && have.version == row.Version {
			next[row.Channel] = have
			continue
		}
		d, err := s.openRow(&row)
		if err != nil {
			errs = append(errs, fmt.Errorf("the driver of %s: %w", row.Channel, err))
			continue
		}
		next[row.Channel] = d
	}
	for key, d := range s.drivers {
		if next[key] != d {
			go d.shut(s)
		}
	}
	s.drivers = next
	return errors.Join(errs...)
}

func (s *Service) openRow(row *driverRow) (*openDriver, error) {
	secrets, err := s.seal.Open(row.Channel, row.sealed)
	if err != nil {
		return nil, err
	}
	d := &openDriver{version: row.Version, config: row.Config, secrets: secrets, limit: rate.NewLimiter(rate.Limit(row.Config.Rate()), max(int(row.Config.Rate()), 1))}
	if row.Config.Driver == channels.DriverCascade {
		return d, nil
	}
	if d.Driver, err = channels.Open(&row.Config, secrets); err != nil {
		return nil, err
	}
	if r, ok := d.Driver.(interface{ Receive(func(channels.Receipt)) }); ok {
		channel := row.Channel
		r.Receive(func(receipt channels.Receipt) {
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			defer cancel()
			if err := s.Receipt(ctx, channel, receipt); err != nil {
				s.log.Error("a receipt was lost", "channel", channel, "error", err)
			}
		})
	}
	return d, nil
}

// shut closes a driver once what it sends now has ended.
func (d *openDriver) shut(s *Service) {
	if d.Driver == nil {
		return
	}
	time.Sleep(sendTimeout)
	if err := d.Close(); err != nil {
		s.log.Warn("closing a driver", "error", err)
	}
}

func (s *Service) closeDrivers() {
	s.driverMu.Lock()
	defer s.driverMu.Unlock()
	for _, d := range s.drivers {
		if d.Driver != nil {
			_ = d.Close() // at the end there is nobody to tell
		}
	}
	s.drivers = map[string]*openDriver{}
}

// driver is the open driver of a channel, nil when it has none.
func (s *Service) driver(channel string) (*openDriver, error) {
	s.driverMu.Lock()
	defer s.driverMu.Unlock()
	return s.drivers[channel], nil
}

// driverKeys are the channels that send by themselves.
func (s *Service) driverKeys() map[string]bool {
	s.driverMu.Lock()
	defer s.driverMu.Unlock()
	keys := make(map[string]bool, len(s.drivers))
	for key, d := range s.drivers {
		if d.Driver != nil {
			keys[key] = true
		}
	}
	return keys
}

// Setting is the driver of a channel.
func (s *Service) Setting(ctx context.Context, channel string) (*Setting, error) {
	row, err := s.driverRow(ctx, channel)
	if err != nil {
		return nil, err
	}
	return s.shown(row)
}

func (s *Service) shown(row *driverRow) (*Setting, error) {
	secrets, err := s.seal.Open(row.Channel, row.sealed)
	if err != nil {
		return nil, problem.Conflict("The secrets of the channel do not open with the key of this process: store them again.")
	}
	out := row.Setting
	out.SecretsSet = []string{}
	names, _ := out.Config.Secrets()
	for _, name := range names {
		if secrets[name] != "" {
			out.SecretsSet = append(out.SecretsSet, name)
		}
	}
	return &out, nil
}

func (s *Service) driverRow(ctx context.Context, channel string) (*driverRow, error) {
	rows, err := s.pool.Query(ctx, selectDrivers+` WHERE channel = $1`, channel)
	if err != nil {
		return nil, fmt.Errorf("reading the driver of a channel: %w", err)
	}
	row, err := pgx.CollectExactlyOneRow(rows, scanDriver)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, problem.NotFound("driver of the channel", channel)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the driver of a channel: %w", err)
	}
	return &row, nil
}

// PutSetting stores the driver of a channel. Secrets that are not given stay as they are.
// Unless unchecked, credentials that the provider refuses are refused here as well.
func (s *Service) PutSetting(ctx context.Context, channel string, config channels.Config, secrets map[string]string, unchecked bool, by string) (*Setting, error) {
	if _, ok := s.known.Channel(channel); !ok {
		return nil, problem.NotFound("channel", channel)
	}
	all := map[string]string{}
	if old, err := s.driverRow(ctx, channel); err == nil && old.Config.Driver == config.Driver {
		if kept, err := s.seal.Open(channel, old.sealed); err == nil {
			all = kept
		}
	}
	maps.Copy(all, secrets)
	maps.DeleteFunc(all, func(_, v string) bool { return v == "" })
	if err := config.Validate(all); err != nil {
		return nil, err
	}
	if err := s.tryDriver(ctx, channel, &config, all, unchecked); err != nil {
		return nil, err
	}
	text, err := json.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("encoding the driver of a channel: %w", err)
	}
	sealed, err := s.seal.Close(channel, all)
	if err != nil {
		return nil, err
	}
	if _, err := s.pool.Exec(ctx, `INSERT INTO channel_drivers AS d (channel, config, secrets, version, updated_at, updated_by) VALUES ($1, $2, $3, 1, $4, $5)
		ON CONFLICT (channel) DO UPDATE SET config = excluded.config, secrets = excluded.secrets, version = d.version + 1, updated_at = excluded.updated_at, updated_by = excluded.updated_by`,
		channel, text, sealed, s.now(), by); err != nil {
		return nil, fmt.Errorf("storing the driver of a channel: %w", err)
	}
	if err := s.refreshDrivers(ctx); err != nil {
		return nil, err
	}
	return s.Setting(ctx, channel)
}

// tryDriver opens a driver and has it try its credentials.
func (s *Service) tryDriver(ctx context.Context, channel string, config *channels.Config, secrets map[string]string, unchecked bool) error {
	if config.Cascade != nil {
		var bad problem.Invalid
		for i, step := range config.Cascade.Steps {
			d, err := s.driver(step.Channel)
			if err != nil {
				return err
			}
			if d == nil || d.Driver == nil {
				bad.Add(fmt.Sprintf("config.cascade.steps[%d].channel", i), "must be a channel with a driver that is no cascade", step.Channel)
			}
		}
		return bad.Err()
	}
	d, err := channels.Open(config, secrets)
	if err != nil {
		return problem.Invalid{{Field: "secrets", Rule: err.Error()}}
	}
	defer d.Close() //nolint:errcheck // it was made for this
	if unchecked {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	if err := d.Check(ctx); err != nil {
		return problem.Invalid{{Field: "config", Rule: fmt.Sprintf("must have credentials that the provider of %s accepts: %v", channel, err)}}
	}
	return nil
}

// DeleteSetting removes the driver of a channel; what waits there is skipped.
func (s *Service) DeleteSetting(ctx context.Context, channel string) error {
	tag, err := s.pool.Exec(ctx, `DELETE FROM channel_drivers WHERE channel = $1`, channel)
	if err != nil {
		return fmt.Errorf("removing the driver of a channel: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return problem.NotFound("driver of the channel", channel)
	}
	return s.refreshDrivers(ctx)
}
