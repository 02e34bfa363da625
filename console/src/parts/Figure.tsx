import type { ReactNode } from 'react';
import './figure.css';

interface FigureProps {
  readonly label: string;
  readonly value: ReactNode;
  readonly unit?: string;
  readonly note?: ReactNode;
}

/** One figure with its name and unit. */
export function Figure({ label, value, unit, note }: FigureProps) {
  return (
    <div className="q-figure">
      <dt className="q-figure-label">{label}</dt>
      <dd className="q-figure-value">
        {value}
        {unit !== undefined && <span className="q-figure-unit">{unit}</span>}
        {note !== undefined && <span className="q-figure-note">{note}</span>}
      </dd>
    </div>
  );
}

/** Figures side by side. */
export function Figures({ children }: { readonly children: ReactNode }) {
  return <dl className="q-figures-row">{children}</dl>;
}
