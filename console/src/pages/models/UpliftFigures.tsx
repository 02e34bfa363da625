import { Table } from '@mantine/core';
import { useMemo } from 'react';
import type { ModelMetrics } from '../../api/models';
import { IntervalAxis, IntervalMark } from '../../charts/IntervalMark';
import { LazyChart } from '../../charts/LazyChart';
import { intervalScale } from '../../charts/scale';
import { usePalette } from '../../charts/usePalette';
import { levelTick } from '../../format/effect';
import { count, decimalsFor, fixed, percent, significant } from '../../format/number';
import { Figure, Figures } from '../../parts/Figure';
import { Panel } from '../../parts/Panel';
import { Tag } from '../../parts/Tag';
import '../../parts/list-table.css';
import { curveOption } from './options';

type UpliftMetrics = NonNullable<ModelMetrics['uplift']>;
type Treatment = UpliftMetrics['treatments'][number];

interface UpliftFiguresProps {
  readonly metrics: UpliftMetrics;
  readonly learner: string;
}

/** What treatments change, for whom, and whether acting by it is worth it. */
export function UpliftFigures({ metrics, learner }: UpliftFiguresProps) {
  return (
    <>
      <PolicyPanel metrics={metrics} />
      {metrics.treatments.map((treatment) => (
        <TreatmentPanels key={treatment.variant} treatment={treatment} />
      ))}
      <Panel title="Learners" note="Area between the Qini curve and random targeting on a part that none was fitted to." flush>
        <Table className="q-list" aria-label="Learners of effects">
          <Table.Tbody>
            {metrics.candidates.map(({ name, qini, failure }) => (
              <Table.Tr key={name}>
                <Table.Td>
                  {name} {name === learner && <Tag tone="accent">chosen</Tag>}
                </Table.Td>
                <Table.Td className="q-number">{failure === undefined || failure === '' ? significant(qini) : failure}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Panel>
    </>
  );
}

function PolicyPanel({ metrics: { policy, passed, gate, treatments } }: { readonly metrics: UpliftMetrics }) {
  const actions = ['nobody', ...treatments.map(({ variant }) => variant)];
  const interval = (name: string, { value, standardError }: typeof policy.learned) => ({ name, estimate: value, lower: value - 1.96 * standardError, upper: value + 1.96 * standardError });
  const rows = [
    interval('Each person the best for them', policy.learned),
    ...policy.single.map((value, index) => interval(index === 0 ? 'Nobody' : `Everybody ${actions[index] ?? ''}`, value)),
    interval('Gain over the best single action', policy.gain),
  ];
  const scale = intervalScale(rows);
  return (
    <Panel title="Gate" note={gate} actions={passed ? <Tag tone="better">passed</Tag> : <Tag tone="worse">refused</Tag>} flush>
      <Table.ScrollContainer minWidth={560}>
        <Table className="q-list" aria-label="Outcome per person by policy">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Who gets what</Table.Th>
              <Table.Th className="q-number">Outcome per person, less cost</Table.Th>
              <Table.Th style={{ width: '42%' }}>95% interval</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {rows.map(({ name, ...range }) => {
              const decimals = decimalsFor((range.upper - range.lower) / 2);
              const words = `${fixed(range.lower, decimals)} to ${fixed(range.upper, decimals)}`;
              return (
                <Table.Tr key={name}>
                  <Table.Td>{name}</Table.Td>
                  <Table.Td className="q-number">
                    {fixed(range.estimate, decimals)}
                    <span className="q-list-note">{words}</span>
                  </Table.Td>
                  <Table.Td>
                    <IntervalMark interval={range} scale={scale} verdict="unclear" label={`${name}: ${fixed(range.estimate, decimals)}, 95% interval ${words}`} />
                  </Table.Td>
                </Table.Tr>
              );
            })}
            <Table.Tr>
              <Table.Td colSpan={2} className="q-muted">
                {policy.shares.map((share, index) => `${actions[index] ?? ''} ${percent(share, 0)}`).join(' · ')}
              </Table.Td>
              <Table.Td>
                <IntervalAxis scale={scale} format={levelTick} />
              </Table.Td>
            </Table.Tr>
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Panel>
  );
}

function TreatmentPanels({ treatment: { variant, judgement } }: { readonly treatment: Treatment }) {
  const palette = usePalette();
  const { curve, deciles, effect, qini, slope, skliftQini, causalmlQini } = judgement;
  const option = useMemo(
    () =>
      curveOption(
        curve.map(({ share, gain, low, high, random }) => ({ x: share, y: gain, low, high, reference: random })),
        { line: 'highest effects first', reference: 'at random', x: 'Share that is treated', formatX: (value) => percent(value, 0), formatY: (value) => significant(value, 2) },
        palette,
        { maxX: 1 },
      ),
    [curve, palette],
  );
  const scale = intervalScale(deciles.map(({ value, low, high }) => ({ estimate: value, lower: low, upper: high })));
  return (
    <>
      <Panel title={`Effect of ${variant}`} note={`On ${count(judgement.rows)} people that nothing was fitted to.`}>
        <Figures>
          <Figure label="Average effect" value={significant(effect.value)} note={`${significant(effect.low)} to ${significant(effect.high)}`} />
          <Figure label="Qini" value={significant(qini.value)} note={`${significant(qini.low)} to ${significant(qini.high)}`} />
          {skliftQini !== undefined && <Figure label="Qini, as scikit-uplift" value={fixed(skliftQini, 4)} />}
          <Figure label="Qini, as causalml" value={fixed(causalmlQini, 4)} />
          <Figure label="Slope of effects" value={fixed(slope.value, 2)} note={`${fixed(slope.low, 2)} to ${fixed(slope.high, 2)}; 1 is calibrated`} />
        </Figures>
      </Panel>
      <div className="q-halves">
        <Panel title={`Qini curve of ${variant}`} note="What treating this share adds to the outcome per person, with its 95% interval.">
          <LazyChart option={option} height={260} label={`Qini curve of ${variant}: area ${significant(qini.value)}, 95% interval ${significant(qini.low)} to ${significant(qini.high)}`} />
        </Panel>
        <Panel title="By tenth of the effect" note="The highest estimates first: what the treatment changed." flush>
          <Table.ScrollContainer minWidth={400}>
            <Table className="q-list" aria-label={`Tenths of the effect of ${variant}`}>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>Tenth</Table.Th>
                  <Table.Th className="q-number">Estimated</Table.Th>
                  <Table.Th className="q-number">Was</Table.Th>
                  <Table.Th style={{ width: '44%' }}>95% interval</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {deciles.map(({ decile, predicted, value, low, high }) => (
                  <Table.Tr key={decile}>
                    <Table.Td>{decile}</Table.Td>
                    <Table.Td className="q-number">{significant(predicted, 2)}</Table.Td>
                    <Table.Td className="q-number">{significant(value, 2)}</Table.Td>
                    <Table.Td>
                      <IntervalMark
                        interval={{ estimate: value, lower: low, upper: high }}
                        scale={scale}
                        verdict={low > 0 ? 'better' : high < 0 ? 'worse' : 'unclear'}
                        label={`Tenth ${decile.toString()}: ${significant(value, 2)}, 95% interval ${significant(low, 2)} to ${significant(high, 2)}`}
                      />
                    </Table.Td>
                  </Table.Tr>
                ))}
                <Table.Tr>
                  <Table.Td colSpan={3} />
                  <Table.Td>
                    <IntervalAxis scale={scale} format={levelTick} />
                  </Table.Td>
                </Table.Tr>
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        </Panel>
      </div>
    </>
  );
}
