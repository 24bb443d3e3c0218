// htmx as a global, because its extensions look for it there.
import htmx from 'htmx.org';

window.htmx = htmx;
