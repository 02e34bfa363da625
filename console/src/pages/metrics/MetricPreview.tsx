import { SegmentedControl } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { baselineQuery } from '../../api/metrics';
import { asProblem } from '../../api/problem';
import type { Metric } from '../../api/types';
import { isShare } from '../../format/effect';
import { count, percent, significant } from '../../format/number';
import { CopyButton } from '../../parts/CopyButton';
import { Loaded } from '../../parts/Loaded';
import { Moment } from '../../parts/Moment';
import { Panel } from '../../parts/Panel';
import { SkeletonBlock } from '../../parts/Skeletons';
import { Terms } from '../../parts/Terms';

/** What the saved metric was among people of the last days, without any experiment. */
export function MetricPreview({ metric }: { readonly metric: Metric }) {
  const [days, setDays] = useState('28');
  const query = useQuery(baselineQuery(metric.key, Number(days)));
  const short = query.isError && asProblem(query.error).status === 422;
  return (
    <Panel
      title="Preview"
      note="Of people who were first seen in these days, and whose window has passed."
      actions={<SegmentedControl size="xs" aria-label="Days of the preview" data={['7', '28', '90']} value={days} onChange={setDays} />}
    >
      {short ? (
        <p className="q-muted" role="status">
          There is no history yet: {asProblem(query.error).findings[0]?.message ?? asProblem(query.error).message}.
        </p>
      ) : (
        <Loaded query={query} skeleton={<SkeletonBlock height={120} />}>
          {(baseline) => (
            <>
              <Terms
                entries={[
                  ['Mean', isShare(metric.kind) ? percent(baseline.mean, 2) : significant(baseline.mean, 4)],
                  ['Variance of one person', significant(baseline.variance, 4)],
                  ['People', `${count(baseline.people)}, ${count(baseline.peoplePerDay)} a day`],
                  ['First seen', <span key="span"><Moment at={baseline.from} /> to <Moment at={baseline.until} /></span>],
                ]}
              />
              <div style={{ marginTop: 12 }}>
                <CopyButton label="Copy the SQL" text={() => baseline.sql} />
              </div>
            </>
          )}
        </Loaded>
      )}
    </Panel>
  );
}
