import { Button } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { changesQuery } from '../../api/experiments';
import type { Change } from '../../api/types';
import { asProblem } from '../../api/problem';
import { Moment } from '../../parts/Moment';
import { Panel } from '../../parts/Panel';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { SkeletonRows } from '../../parts/Skeletons';
import { scalarText } from '../../parts/scalar';
import { changeWords } from './words';
import './result.css';

const shownFields = 6;

/** Who did what to an experiment, when and why. */
export function ChangesPanel({ experiment }: { readonly experiment: string }) {
  const query = useInfiniteQuery(changesQuery(experiment));
  return (
    <Panel title="Change log" note="Who did what, when and why.">
      {query.data === undefined && !query.isError && <SkeletonRows rows={3} />}
      {query.data === undefined && query.isError && <ProblemPanel error={asProblem(query.error)} retry={() => void query.refetch()} />}
      <ol className="q-changes">
        {(query.data?.pages ?? []).flatMap(({ items }) => items).map((change) => (
          <Entry key={change.version} change={change} />
        ))}
      </ol>
      {query.hasNextPage && (
        <Button mt={8} size="xs" variant="default" loading={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
          Show older changes
        </Button>
      )}
    </Panel>
  );
}

function Entry({ change }: { readonly change: Change }) {
  return (
    <li>
      It <b>{changeWords(change)}</b> by {change.by} <span className="q-muted">· <Moment at={change.at} /> · version {change.version}</span>
      {change.reason !== undefined && change.reason !== '' && <div>“{change.reason}”</div>}
      {change.fields.length > 0 && (
        <ul className="q-change-fields">
          {change.fields.slice(0, shownFields).map((field) => (
            <li key={field.field}>
              <code className="q-mono">{field.field}</code> {field.from === undefined ? 'set to' : `from ${scalarText(field.from)} to`} {field.to === undefined ? 'nothing' : scalarText(field.to)}
            </li>
          ))}
          {change.fields.length > shownFields && <li>and {change.fields.length - shownFields} more fields</li>}
        </ul>
      )}
    </li>
  );
}
