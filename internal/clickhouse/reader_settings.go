package clickhouse

import (
	"runtime"
	"strconv"
	"strings"
)

// readerThreads leaves half of the machine to the service.
func readerThreads() int { return max(1, runtime.GOMAXPROCS(0)/2) }

// settingLimits are the settings that a reader may set, with the most that
// each may be and what it is when not set. With no limit the value is free.
var settingLimits = map[string]struct{ most, preset float64 }{
	"max_execution_time": {readerTimeout.Seconds(), readerTimeout.Seconds()},
	"max_result_rows":    {readerMaxRows, readerMaxRows},
	"max_result_bytes":   {readerMaxBytes, readerMaxBytes},
	"max_memory_usage":   {4 * readerMaxMemory, readerMaxMemory},
	"max_threads":        {float64(readerThreads()), float64(readerThreads())},
	"max_block_size":     {1 << 20, 0},
}

// harmlessSettings may have any value: they shape what is read, not what can be.
var harmlessSettings = nameSet(
	"result_overflow_mode", "extremes", "session_timezone", "join_use_nulls", "date_time_output_format",
	"date_time_input_format", "use_client_time_zone", "output_format_decimal_trailing_zeros",
	"output_format_write_statistics", "union_default_mode", "output_format_native_write_json_as_string",
	"output_format_native_use_flattened_dynamic_and_json_serialization", "output_format_native_encode_types_in_binary_format",
)

// harmlessPrefixes begin the names of more of them.
var harmlessPrefixes = []string{"output_format_json_", "output_format_csv_", "output_format_tsv_", "output_format_pretty_", "output_format_arrow_", "output_format_parquet_"}

// readerSettings turns what a reader asks for into what is set.
func readerSettings(asked map[string]string) (map[string]string, error) {
	set := map[string]string{
		"session_timezone": "UTC", "allow_introspection_functions": "0", "allow_ddl": "0",
		"max_query_size": strconv.Itoa(interfaceMaxQuery), "result_overflow_mode": "throw",
	}
	for name, limit := range settingLimits {
		if limit.preset > 0 {
			set[name] = strconv.FormatFloat(limit.preset, 'f', -1, 64)
		}
	}
	for name, value := range asked {
		limit, bounded := settingLimits[name]
		switch {
		case bounded:
			n, err := strconv.ParseFloat(value, 64)
			if err != nil || !(n >= 0) {
				return nil, newException(codeBadArguments, "setting %s must be a number of at least 0, not %q", name, value)
			}
			if n == 0 || n > limit.most { // 0 means no limit
				n = limit.most
			}
			set[name] = strconv.FormatFloat(n, 'f', -1, 64)
		case name == "readonly" && (value == "1" || value == "2"):
			// Asked to be read-only, which it is.
		case harmlessSettings[name] || hasAnyPrefix(name, harmlessPrefixes):
			set[name] = value
		default:
			return nil, refuse("setting %s cannot be changed", name)
		}
	}
	set["readonly"] = "1"
	return set, nil
}

func hasAnyPrefix(name string, prefixes []string) bool {
	for _, prefix := range prefixes {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
