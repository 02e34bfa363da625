import { Button, Group, NumberInput, Text } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'react-router';
import { overviewQuery } from '../../api/overview';
import { holdoutQuery, setHoldoutShare } from '../../api/settings';
import type { Holdout } from '../../api/types';
import { percent } from '../../format/number';
import { Loaded } from '../../parts/Loaded';
import { Panel } from '../../parts/Panel';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { SkeletonBlock } from '../../parts/Skeletons';

export function HoldoutSettings() {
  const query = useQuery(holdoutQuery);
  return (
    <Panel
      title="Universal holdout"
      note="A fixed random share of people whom no advertising decision reaches. Service messages reach them. The difference to everybody else is what all advertising together brings."
    >
      <Loaded query={query} skeleton={<SkeletonBlock height={80} />}>
        {(holdout) => <ShareForm key={holdout?.version ?? 0} holdout={holdout} />}
      </Loaded>
    </Panel>
  );
}

function ShareForm({ holdout }: { readonly holdout: Holdout | null }) {
  const queries = useQueryClient();
  const current = holdout?.share ?? 0;
  const [share, setShare] = useState<number | string>(Number((current * 100).toFixed(4)));
  const save = useMutation({
    mutationFn: (value: number) => setHoldoutShare(value, holdout),
    onSuccess: () =>
      Promise.all([
        queries.invalidateQueries({ queryKey: holdoutQuery.queryKey }),
        queries.invalidateQueries({ queryKey: overviewQuery.queryKey }),
      ]),
  });
  const value = typeof share === 'number' ? share / 100 : Number.NaN;
  const changed = Number.isFinite(value) && Math.abs(value - current) > 1e-9;
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (changed) save.mutate(value);
      }}
    >
      {save.isError && <ProblemPanel error={save.error} />}
      <Group align="flex-end" gap="sm" mt={4}>
        <NumberInput label="Share of people" value={share} onChange={setShare} min={0} max={50} step={0.5} decimalScale={2} suffix=" %" w={150} />
        <Button type="submit" disabled={!changed} loading={save.isPending}>
          Save
        </Button>
      </Group>
      <Text c="dimmed" size="sm" mt="sm" maw={640}>
        {changed && value > current && 'People already held out stay so; some more join them. '}
        {changed && value < current && 'Some people leave the holdout and mix with the treated: reports over both periods count them where they were first seen. '}
        Now {percent(current)}.{' '}
        <Link className="q-link" to="/experiments/universal-holdout">
          Open its report
        </Link>
      </Text>
    </form>
  );
}
