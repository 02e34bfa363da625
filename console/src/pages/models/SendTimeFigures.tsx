import { Table } from '@mantine/core';
import type { CSSProperties } from 'react';
import type { ModelMetrics } from '../../api/models';
import { IntervalAxis, IntervalMark } from '../../charts/IntervalMark';
import { intervalScale } from '../../charts/scale';
import { count, fixed, percent } from '../../format/number';
import { Figure, Figures } from '../../parts/Figure';
import { Panel } from '../../parts/Panel';
import { Tag } from '../../parts/Tag';
import '../../parts/list-table.css';
import '../lifecycle/lifecycle.css';
import { bestHour, hourText, weekOf } from './week';
import './models.css';

/** When messages are answered, and what choosing the hour brings. */
export function SendTimeFigures({ metrics }: { readonly metrics: NonNullable<ModelMetrics['sendTime']> }) {
  const { rates, answers, people, machineOpens, candidates, chosen, offPolicy } = metrics;
  const best = Math.max(...candidates.map(({ likelihood }) => likelihood));
  return (
    <>
      <Panel title="Hours of the week" note={`Rate of answers by the local hour of sending, of everybody; each person's own hours are moved from here by what they answered. A stronger fill means more, and the best is ${bestHour(rates)}.`}>
        <div className="q-panel-scroll">
          <table className="q-week" aria-label="Rate of answers by day and hour">
            <thead>
              <tr>
                <td />
                {Array.from({ length: 24 }, (_, hour) => (
                  <th key={hour} scope="col">
                    {hour}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {weekOf(rates).map(({ day, slots }) => (
                <tr key={day}>
                  <th scope="row">{day.slice(0, 3)}</th>
                  {slots.map(({ hour, rate, heat }) => (
                    <td key={hour} className="q-heat" style={{ '--heat': (0.05 + 0.95 * heat).toFixed(3) } as CSSProperties} title={`${day} ${hourText(hour)}: ${percent(rate)}`}>
                      <span className="q-hidden-label">{percent(rate)}</span>
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
        <div className="q-week-words" />
        <Figures>
          <Figure label="Answers" value={count(answers)} />
          <Figure label="People" value={count(people)} />
          <Figure label="Opened by machines" value={count(machineOpens)} note="left out" />
        </Figures>
      </Panel>
      <Panel title="Candidates" note="Mean log-likelihood of the last fifth of the messages, which none was fitted to; closer to zero is better." flush>
        <Table className="q-list" aria-label="Candidates">
          <Table.Tbody>
            {candidates.map(({ name, likelihood }) => (
              <Table.Tr key={name}>
                <Table.Td>
                  {name} {likelihood === best && <Tag tone="accent">chosen: {chosen}</Tag>}
                </Table.Td>
                <Table.Td className="q-number">{fixed(likelihood, 5)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Panel>
      {offPolicy === undefined ? (
        <Panel title="What choosing the hour brings">
          <p className="q-muted">Not known: no message has a logged propensity. Let a part of them go out at hours drawn at random.</p>
        </Panel>
      ) : (
        <OffPolicyPanel comparison={offPolicy} />
      )}
    </>
  );
}

function OffPolicyPanel({ comparison }: { readonly comparison: NonNullable<NonNullable<ModelMetrics['sendTime']>['offPolicy']> }) {
  const { model, fixed: everybody, now, fixedHour, gainOverFixed, gainOverNow, messages } = comparison;
  const policy = (name: string, { rate, standardError }: typeof model) => ({ name, estimate: rate, lower: rate - 1.96 * standardError, upper: rate + 1.96 * standardError });
  const gain = (name: string, values: readonly number[] | null) => ({ name, estimate: values?.[0] ?? NaN, lower: values?.[1] ?? NaN, upper: values?.[2] ?? NaN });
  const rows = [
    policy("The person's best hours", model),
    policy(`Everybody at ${hourText(fixedHour)}`, everybody),
    policy('As they come', now),
    gain('Gain over the fixed hour', gainOverFixed),
    gain('Gain over as they come', gainOverNow),
  ].filter(({ estimate }) => Number.isFinite(estimate));
  const scale = intervalScale(rows);
  return (
    <Panel title="What choosing the hour brings" note={`Share that is answered, estimated from ${count(messages)} later messages by the probabilities that their hours were drawn with.`} flush>
      <Table.ScrollContainer minWidth={560}>
        <Table className="q-list" aria-label="Share answered by policy">
          <Table.Tbody>
            {rows.map(({ name, ...interval }) => {
              const range = `${percent(interval.lower)} to ${percent(interval.upper)}`;
              return (
                <Table.Tr key={name}>
                  <Table.Td>{name}</Table.Td>
                  <Table.Td className="q-number">
                    {percent(interval.estimate)}
                    <span className="q-list-note">{range}</span>
                  </Table.Td>
                  <Table.Td style={{ width: '46%' }}>
                    <IntervalMark interval={interval} scale={scale} verdict="unclear" label={`${name}: ${percent(interval.estimate)}, 95% interval ${range}`} />
                  </Table.Td>
                </Table.Tr>
              );
            })}
            <Table.Tr>
              <Table.Td colSpan={2} />
              <Table.Td>
                <IntervalAxis scale={scale} format={(value) => percent(value)} />
              </Table.Td>
            </Table.Tr>
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Panel>
  );
}
