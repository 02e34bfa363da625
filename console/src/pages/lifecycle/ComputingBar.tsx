import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { IconRefresh } from '@tabler/icons-react';
import { attributesStatusQuery, computeNow } from '../../api/attributes';
import type { AttributesStatus } from '../../api/types';
import { count } from '../../format/number';
import { duration } from '../../format/time';
import { ActionButton } from '../../parts/ActionButton';
import { Loaded } from '../../parts/Loaded';
import { Moment } from '../../parts/Moment';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { SkeletonBlock } from '../../parts/Skeletons';
import { Tag } from '../../parts/Tag';

/** How old everything on the page is, and a way to have it computed anew. */
export function ComputingBar() {
  const queries = useQueryClient();
  const status = useQuery(attributesStatusQuery);
  const compute = useMutation({
    mutationFn: computeNow,
    onSettled: () =>
      Promise.all([
        queries.invalidateQueries({ queryKey: ['attributes'] }),
        queries.invalidateQueries({ queryKey: ['lifecycle'] }),
        queries.invalidateQueries({ queryKey: ['experience'] }),
      ]),
  });
  return (
    <div className="q-computing">
      <div className="q-computing-line">
        <Loaded query={status} skeleton={<SkeletonBlock height={20} />}>
          {(data) => <StatusLine status={data} running={compute.isPending} />}
        </Loaded>
        <ActionButton
          needs="admin"
          variant="default"
          leftSection={<IconRefresh size={14} />}
          loading={compute.isPending}
          onClick={() => {
            compute.mutate();
          }}
        >
          Compute now
        </ActionButton>
      </div>
      {compute.isError && <ProblemPanel error={compute.error} />}
    </div>
  );
}

function StatusLine({ status, running }: { readonly status: AttributesStatus | null; readonly running: boolean }) {
  if (running) return <p role="status">Computing everybody. With many events this takes minutes; the page goes on showing the last run.</p>;
  if (status === null) return <p role="status">Nothing has been computed since the service was started; the first run is under way.</p>;
  const failing = status.attributes.filter((attribute) => attribute.error !== undefined && attribute.error !== '');
  return (
    <p role="status">
      Computed <Moment at={status.computedAt} as="ago" /> (<Moment at={status.computedAt} as="second" />) in {duration(status.seconds)}: {count(status.people)}{' '}
      people, {count(status.changed)} changed, {count(status.moves)} moves.{' '}
      {failing.length > 0 && (
        <Tag tone="worse" title={failing.map((each) => `${each.key}: ${each.error ?? ''}`).join('\n')}>
          {failing.length} failing
        </Tag>
      )}
    </p>
  );
}
