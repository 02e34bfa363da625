import { Table } from '@mantine/core';
import { useMemo } from 'react';
import type { ModelMetrics } from '../../api/models';
import { LazyChart } from '../../charts/LazyChart';
import { usePalette } from '../../charts/usePalette';
import { count, fixed, percent, significant } from '../../format/number';
import { Figure, Figures } from '../../parts/Figure';
import { Panel } from '../../parts/Panel';
import { Tag } from '../../parts/Tag';
import '../../parts/list-table.css';
import { curveOption } from './options';
import { calibrationWords, featureWords } from './words';
import './models.css';

interface ClassifierFiguresProps {
  readonly metrics: ModelMetrics;
  readonly learner: string;
}

/** How well a model of what people will do tells them apart, and whether its probabilities hold. */
export function ClassifierFigures({ metrics, learner }: ClassifierFiguresProps) {
  const { test, reliability, deciles, importance, candidates, champion } = metrics;
  return (
    <>
      {test !== undefined && (
        <Panel title="Test" note="On people as of a later moment than all that was learned from.">
          <Figures>
            <Figure label="AUC" value={fixed(test.auc, 3)} note="0.5 is chance" />
            <Figure label="Log-loss" value={fixed(test.logLoss, 4)} />
            <Figure label="Lift of the top tenth" value={fixed(test.lift, 2)} unit="×" />
            <Figure label="Average precision" value={fixed(test.averagePrecision, 3)} />
            <Figure label="Share of yes" value={percent(test.rate)} note={`${count(test.rows)} people`} />
            {champion !== undefined && (
              <Figure label={`Beside version ${champion.version.toString()}`} value={`${champion.better > 0 ? '+' : ''}${significant(champion.better, 2)}`} note={`± ${significant(champion.standardError, 2)} of log-loss`} />
            )}
          </Figures>
        </Panel>
      )}
      <div className="q-halves">
        {reliability !== undefined && <ReliabilityPanel reliability={reliability} />}
        {(deciles ?? []).length > 0 && <DecilePanel deciles={deciles ?? []} />}
      </div>
      <div className="q-halves">
        {(importance ?? []).length > 0 && <ImportancePanel importance={importance ?? []} />}
        {(candidates ?? []).length > 0 && <CandidatesPanel candidates={candidates ?? []} learner={learner} />}
      </div>
    </>
  );
}

function ReliabilityPanel({ reliability }: { readonly reliability: NonNullable<ModelMetrics['reliability']> }) {
  const palette = usePalette();
  const option = useMemo(
    () =>
      curveOption(
        reliability.bins.map(({ predicted, actual, low, high }) => ({ x: predicted, y: actual, low, high, reference: predicted })),
        { line: 'came true', reference: 'exact', x: 'Probability', formatX: (value) => percent(value, 0), formatY: (value) => percent(value, 0) },
        palette,
        { shares: true, marked: true },
      ),
    [reliability, palette],
  );
  const words = calibrationWords(reliability);
  return (
    <Panel title="Calibration" note={words}>
      <LazyChart option={option} height={240} label={`Reliability plot of ${reliability.bins.length.toString()} groups. ${words}`} />
    </Panel>
  );
}

function DecilePanel({ deciles }: { readonly deciles: NonNullable<ModelMetrics['deciles']> }) {
  const most = Math.max(...deciles.map(({ actual }) => actual), 1e-9);
  return (
    <Panel title="By tenth of the score" note="The highest first: how often it came true, and how much of all is reached so far." flush>
      <Table.ScrollContainer minWidth={380}>
        <Table className="q-list" aria-label="Tenths of the score">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Tenth</Table.Th>
              <Table.Th className="q-number">Predicted</Table.Th>
              <Table.Th style={{ width: '34%' }}>Came true</Table.Th>
              <Table.Th className="q-number">Lift</Table.Th>
              <Table.Th className="q-number">Reached</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {deciles.map(({ decile, predicted, actual, lift, captured }) => (
              <Table.Tr key={decile}>
                <Table.Td>{decile}</Table.Td>
                <Table.Td className="q-number">{percent(predicted)}</Table.Td>
                <Table.Td>
                  <Bar share={actual / most} text={percent(actual)} />
                </Table.Td>
                <Table.Td className="q-number">{fixed(lift, 2)}</Table.Td>
                <Table.Td className="q-number">{percent(captured, 0)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Panel>
  );
}

/** A length beside its figure. */
function Bar({ share, text }: { readonly share: number; readonly text: string }) {
  return (
    <div className="q-bar">
      <span className="q-bar-track" aria-hidden="true">
        <span style={{ width: `${(100 * Math.min(1, Math.max(0, share))).toFixed(1)}%` }} />
      </span>
      <span className="q-bar-text">{text}</span>
    </div>
  );
}

function ImportancePanel({ importance }: { readonly importance: NonNullable<ModelMetrics['importance']> }) {
  const shown = importance.filter(({ loss }) => loss > 0).slice(0, 10);
  const most = Math.max(...shown.map(({ loss }) => loss), 1e-12);
  return (
    <Panel title="What matters" note="How much worse the log-loss gets when a feature's values are dealt out anew among people." flush>
      <Table.ScrollContainer minWidth={340}>
        <Table className="q-list" aria-label="Importance of features">
          <Table.Tbody>
            {shown.map(({ column, loss, error }) => (
              <Table.Tr key={column}>
                <Table.Td>{featureWords(column)}</Table.Td>
                <Table.Td style={{ width: '46%' }} title={`± ${significant(error, 2)}`}>
                  <Bar share={loss / most} text={significant(loss, 2)} />
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Panel>
  );
}

interface CandidatesPanelProps {
  readonly candidates: NonNullable<ModelMetrics['candidates']>;
  readonly learner: string;
}

function CandidatesPanel({ candidates, learner }: CandidatesPanelProps) {
  return (
    <Panel title="Candidates" note="Cross-validated on the same people, the best first." flush>
      <Table.ScrollContainer minWidth={420}>
        <Table className="q-list" aria-label="Candidates">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Learner</Table.Th>
              <Table.Th className="q-number">Log-loss</Table.Th>
              <Table.Th className="q-number">AUC</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {candidates.map(({ name, measures, error, failure }) => (
              <Table.Tr key={name}>
                <Table.Td>
                  {name} {name === learner && <Tag tone="accent">chosen</Tag>}
                  {failure !== undefined && failure !== '' && <span className="q-list-note">{failure}</span>}
                </Table.Td>
                <Table.Td className="q-number">
                  {failure === undefined || failure === '' ? fixed(measures.logLoss, 4) : ''}
                  {(failure === undefined || failure === '') && <span className="q-list-note">± {significant(error, 2)}</span>}
                </Table.Td>
                <Table.Td className="q-number">{failure === undefined || failure === '' ? fixed(measures.auc, 3) : ''}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Panel>
  );
}
