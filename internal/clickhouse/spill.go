package clickhouse

import chgo "github.com/ClickHouse/clickhouse-go/v2"

// spillRatio is the share of the memory that ClickHouse may take at which it goes on on disk.
const spillRatio = 0.25

// Spilling adds the settings of a query over much of the log: beyond a quarter of the
// memory there is, grouping and sorting go on on disk, which takes more than twice as long.
func Spilling(settings chgo.Settings) chgo.Settings {
	settings["max_bytes_before_external_group_by"], settings["max_bytes_ratio_before_external_group_by"] = 0, spillRatio
	settings["max_bytes_before_external_sort"], settings["max_bytes_ratio_before_external_sort"] = 0, spillRatio
	return settings
}
