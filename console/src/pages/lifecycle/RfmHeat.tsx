import { useRef, useState, type CSSProperties, type KeyboardEvent } from 'react';
import type { RfmGrid } from '../../api/types';
import { count, percent } from '../../format/number';
import { gridRows, heat, scoreMeaning, scores, type Cell } from './rfm';

interface RfmHeatProps {
  readonly grid: RfmGrid;
  /** One spend score, or null for all. */
  readonly monetary: number | null;
  readonly shade: 'people' | 'spend';
}

const steps: Readonly<Record<string, readonly [number, number]>> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
};

/** The grid of 25 cells, of which one is in the tab order and arrows reach the others. */
export function RfmHeat({ grid, monetary, shade }: RfmHeatProps) {
  const rows = gridRows(grid.codes, monetary);
  const most = Math.max(0, ...rows.flat().map((cell) => cell[shade]));
  const [focus, setFocus] = useState<readonly [number, number]>([0, 4]);
  const body = useRef<HTMLTableSectionElement>(null);
  const move = (event: KeyboardEvent) => {
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const next = [Math.min(4, Math.max(0, focus[0] + step[0])), Math.min(4, Math.max(0, focus[1] + step[1]))] as const;
    setFocus(next);
    body.current?.querySelector<HTMLElement>(`[data-cell="${next[0].toString()}-${next[1].toString()}"]`)?.focus();
  };
  const chosen = rows[focus[0]]?.[focus[1]];
  return (
    <>
      <div className="q-panel-scroll">
        <table className="q-rfm" role="grid" aria-label="Customers by recency and frequency score">
          <tbody ref={body} onKeyDown={move}>
            {rows.map((row, r) => (
              <tr key={row[0]?.recency}>
                <th scope="row">
                  <b>R {row[0]?.recency}</b>
                  <span>{scoreMeaning('days', grid.cuts, row[0]?.recency ?? 0)}</span>
                </th>
                {row.map((cell, f) => (
                  <td
                    key={cell.frequency}
                    role="gridcell"
                    className={cell.people === 0 ? 'q-rfm-none' : 'q-heat'}
                    style={{ '--heat': heat(cell[shade], most).toFixed(3) } as CSSProperties}
                    data-cell={`${r.toString()}-${f.toString()}`}
                    tabIndex={r === focus[0] && f === focus[1] ? 0 : -1}
                    aria-label={cellWords(cell, grid.customers)}
                    onFocus={() => {
                      setFocus([r, f]);
                    }}
                    onClick={(event) => {
                      event.currentTarget.focus();
                    }}
                  >
                    <b>{count(cell.people)}</b>
                    <span>{cell.people === 0 ? '' : count(cell.spend)}</span>
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
          <tfoot>
            <tr>
              <th scope="row" className="q-rfm-corner">
                customers, spend
              </th>
              {scores.map((score) => (
                <th key={score} scope="col">
                  <b>F {score}</b>
                  <span>{orders(scoreMeaning('orders', grid.cuts, score))}</span>
                </th>
              ))}
            </tr>
          </tfoot>
        </table>
      </div>
      {chosen !== undefined && <CellDetail cell={chosen} grid={grid} monetary={monetary} />}
    </>
  );
}

function orders(meaning: string): string {
  if (meaning === '' || meaning === 'nobody') return meaning;
  return `${meaning} ${meaning.endsWith(' 1') ? 'order' : 'orders'}`;
}

function cellWords(cell: Cell, customers: number): string {
  const share = customers > 0 ? `, ${percent(cell.people / customers)} of customers` : '';
  return `Recency ${cell.recency.toString()}, frequency ${cell.frequency.toString()}: ${count(cell.people)} customers${share}, spend ${count(cell.spend)}`;
}

interface CellDetailProps {
  readonly cell: Cell;
  readonly grid: RfmGrid;
  readonly monetary: number | null;
}

/** The chosen cell by spend score, so that all three scores can be read at once. */
function CellDetail({ cell, grid, monetary }: CellDetailProps) {
  const codes = cell.codes.toSorted((a, b) => b.monetary - a.monetary);
  return (
    <div className="q-rfm-detail" role="status">
      <p>
        <b>
          R {cell.recency}, F {cell.frequency}
          {monetary === null ? '' : `, M ${monetary.toString()}`}
        </b>
        : {count(cell.people)} customers, {percent(grid.customers > 0 ? cell.people / grid.customers : 0)} of all; spend {count(cell.spend)}
        {cell.people > 0 ? `, ${count(cell.spend / cell.people)} each` : ''}.
      </p>
      {codes.length > 0 && (
        <ul>
          {codes.map((code) => (
            <li key={code.code}>
              <code>{code.code}</code> {code.segment}: {count(code.people)}{' '}
              <span className="q-muted">spend {scoreMeaning('spend', grid.cuts, code.monetary)}</span>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
