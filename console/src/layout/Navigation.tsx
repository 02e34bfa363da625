import { NavLink } from 'react-router';
import { Mark } from './Mark';
import { places } from './places';
import { PipelineHealth } from './PipelineHealth';
import './navigation.css';

export function Navigation({ onNavigate }: { readonly onNavigate: () => void }) {
  return (
    <div className="q-nav">
      <NavLink to="/" className="q-nav-brand" onClick={onNavigate}>
        <Mark />
        <span>Quintet</span>
      </NavLink>
      <nav aria-label="Main" className="q-nav-places">
        {places.map(({ to, label, icon: Icon }) => (
          <NavLink key={to} to={to} end={to === '/'} className="q-nav-place" onClick={onNavigate}>
            <Icon size={17} stroke={1.7} aria-hidden="true" />
            {label}
          </NavLink>
        ))}
      </nav>
      <PipelineHealth />
    </div>
  );
}
