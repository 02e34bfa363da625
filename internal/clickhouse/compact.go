package clickhouse

import (
	"context"
	"fmt"
)

// compactShare is the part of a partition's largest part that the others have together
// before Compact writes all of it anew: with an eighth, a row is written nine times at
// most, however large the table becomes.
//
// maxCompact are the bytes of a partition beyond which it is left to ClickHouse.
const (
	compactShare = 8
	maxCompact   = 64 << 30
)

// Compact puts the parts of a table together, partition by partition, where that is worth
// its cost. ClickHouse itself leaves a dozen parts of about one size alone; who reads a
// few rows by their key pays for each part. It returns the partitions that it merged.
func (d *Database) Compact(ctx context.Context, table string) ([]string, error) {
	partitions, err := d.Texts(ctx, `SELECT partition_id FROM system.parts
		WHERE active AND database = currentDatabase() AND table = {table:String}
		GROUP BY partition_id HAVING count() > 1 AND sum(bytes_on_disk) <= `+fmt.Sprint(int64(maxCompact))+` AND (sum(rows) - max(rows)) * `+fmt.Sprint(compactShare)+` >= max(rows) ORDER BY partition_id`, map[string]string{"table": table})
	if err != nil {
		return nil, fmt.Errorf("asking for the parts of %s: %w", table, err)
	}
	for i, id := range partitions {
		if err := d.Read.Exec(ctx, "OPTIMIZE TABLE "+quoteIdentifier(table)+" PARTITION ID "+quoteString(id)+" FINAL"); err != nil {
			return partitions[:i], fmt.Errorf("merging partition %s of %s: %w", id, table, err)
		}
	}
	return partitions, nil
}
