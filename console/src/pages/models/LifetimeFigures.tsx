import { Table } from '@mantine/core';
import { useMemo } from 'react';
import type { ModelMetrics } from '../../api/models';
import { LazyChart } from '../../charts/LazyChart';
import { usePalette } from '../../charts/usePalette';
import { count, fixed, significant } from '../../format/number';
import { Figure, Figures } from '../../parts/Figure';
import { Panel } from '../../parts/Panel';
import { Tag } from '../../parts/Tag';
import '../../parts/list-table.css';
import { curveOption } from './options';

interface LifetimeFiguresProps {
  readonly metrics: NonNullable<ModelMetrics['lifetime']>;
  readonly learner: string;
}

/** What models of repeat purchase expected, and what came. */
export function LifetimeFigures({ metrics, learner }: LifetimeFiguresProps) {
  const { backtest, curve, models } = metrics;
  return (
    <>
      <Panel title="Back-test" note={`Fitted to what was known ${count(backtest.horizon)} days ago, compared with what came since.`}>
        <Figures>
          <Figure label="Purchases expected" value={count(backtest.predicted)} note={`95% ${count(backtest.low)} to ${count(backtest.high)}`} />
          <Figure label="Purchases that came" value={count(backtest.actual)} />
          <Figure label="Error per customer" value={fixed(backtest.mae, 3)} note={`${fixed(backtest.baselineMae, 3)} at one's own past rate`} />
          <Figure label="Customers" value={count(backtest.customers)} />
        </Figures>
      </Panel>
      <div className="q-halves">
        <GroupsPanel groups={backtest.byRepeats} />
        <CurvePanel curve={curve} />
      </div>
      <Panel title="Parameters" note={`Estimated by maximum likelihood, with 95% intervals; time is in ${metrics.unit}. ${segmentWords(metrics.segments)}`} flush>
        <Table.ScrollContainer minWidth={520}>
          <Table className="q-list" aria-label="Parameters of the models">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Model</Table.Th>
                <Table.Th className="q-number">Log-likelihood</Table.Th>
                <Table.Th className="q-number">Error, held out</Table.Th>
                <Table.Th>Parameters</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {models.map(({ kind, segment, logLikelihood, holdOutMae, parameters, failure }) => (
                <Table.Tr key={`${kind} ${segment ?? ''}`}>
                  <Table.Td>
                    {kind} {learner.startsWith(kind) && segment === undefined && <Tag tone="accent">chosen</Tag>}
                    {segment !== undefined && <span className="q-list-note">customers of {segment}</span>}
                  </Table.Td>
                  <Table.Td className="q-number">{failure === undefined || failure === '' ? fixed(logLikelihood, 1) : ''}</Table.Td>
                  <Table.Td className="q-number">{(failure === undefined || failure === '') && segment === undefined ? fixed(holdOutMae, 3) : ''}</Table.Td>
                  <Table.Td>
                    {failure ?? ''}
                    {parameters.map(({ name, value, low, high }) => (
                      <span key={name} className="q-list-note">
                        {name} {significant(value)} ({significant(low)} to {significant(high)})
                      </span>
                    ))}
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      </Panel>
    </>
  );
}

/** Whether segments have parameters of their own. */
function segmentWords(test: LifetimeFiguresProps['metrics']['segments']): string {
  if (test === undefined) return '';
  if (test.segments.length === 0) return 'No segment has enough customers for parameters of its own.';
  const words = `${test.segments.join(', ')}: twice the gain of log-likelihood is ${fixed(test.statistic, 1)} at ${test.degreesOfFreedom.toString()} degrees of freedom`;
  return test.kept ? `Segments differ and have parameters of their own (${words}).` : `Segments do not differ beyond chance (${words}).`;
}

function GroupsPanel({ groups }: { readonly groups: NonNullable<ModelMetrics['lifetime']>['backtest']['byRepeats'] }) {
  const palette = usePalette();
  const option = useMemo(
    () =>
      curveOption(
        groups.filter(({ customers }) => customers > 0).map(({ repeats, predicted, actual }) => ({ x: repeats, y: predicted, reference: actual })),
        { line: 'expected', reference: 'came', x: 'Repeat purchases before', formatX: (value) => (value === 7 ? '7+' : value.toString()), formatY: (value) => significant(value, 2) },
        palette,
        { marked: true },
      ),
    [groups, palette],
  );
  return (
    <Panel title="By purchases before" note="Purchases per customer: expected as a line, what came as a broken one.">
      <LazyChart option={option} height={230} label="Purchases per customer by repeat purchases before, expected and what came" />
    </Panel>
  );
}

function CurvePanel({ curve }: { readonly curve: NonNullable<ModelMetrics['lifetime']>['curve'] }) {
  const palette = usePalette();
  const option = useMemo(
    () =>
      curveOption(
        curve.map(({ days, purchases }) => ({ x: days, y: purchases })),
        { line: 'repeat purchases', reference: '', x: 'Days after the first purchase', formatX: count, formatY: (value) => significant(value, 2) },
        palette,
        { maxX: Math.max(...curve.map(({ days }) => days), 1) },
      ),
    [curve, palette],
  );
  const last = curve.at(-1);
  return (
    <Panel title="Lifetime curve" note="Repeat purchases of somebody new.">
      <LazyChart option={option} height={230} label={`Repeat purchases of somebody new: ${significant(last?.purchases)} within ${count(last?.days)} days`} />
    </Panel>
  );
}
