/*
 * Touchline's browser tracker, readable form. The collector serves ../t.js, which is this file minified:
 *
 *     cd tests/e2e/node && npm ci && npm run tracker
 *
 * Options are data attributes of the script tag, the API is window.touchline: see docs/tracker.md. What it sends is
 * read by stream/collect/adapters/tracker.py. Every event has an id, so sending it twice counts once; that is why an
 * event stays in the queue until the collector has answered, and why a beacon (which has no answer) does not end it.
 */
(() => {
  const doc = document, nav = navigator, now = Date.now;
  const script = doc.currentScript || doc.querySelector('script[data-key]');
  const option = script.dataset;
  const url = new URL('t', option.host || script.src);
  const gpc = nav.globalPrivacyControl;
  const silent = 'dnt' in option && nav.doNotTrack == 1;
  const stub = window.touchline || [];
  const FILE = /\.(pdf|zip|csv|(doc|xls|ppt)x?)$/i;
  const LIFE = 395 * 864e5;          // 13 months in ms
  const random = () => crypto.getRandomValues(new Uint32Array(3)).join('');
  const on = addEventListener;

  // Storage. Without consent nothing outlives the page; with GPC nothing outlives the tab.
  const memory = {}, held = [];
  let box = memory, consent = option.consent == 'required' ? {analytics: false} : undefined;
  try {
    box = gpc ? sessionStorage : localStorage;
    consent = JSON.parse(box['tl.c']);
  } catch { /* storage is blocked, or no consent was stored */ }
  const allowed = () => !consent || consent.analytics === true;
  const shelf = () => allowed() ? box : memory;
  const get = name => shelf()['tl.' + name] || '';
  const put = (name, text) => { try { shelf()['tl.' + name] = text; } catch { box = memory; put(name, text); } };
  const stored = shelf => Object.keys(shelf).filter(name => name.startsWith('tl.'));
  const bake = (text, seconds) => {
    doc.cookie = `tl_v=${text};path=/;samesite=lax;max-age=${seconds}` +
      (option.domain ? ';domain=' + option.domain : '') + (location.protocol == 'https:' ? ';secure' : '');
  };

  // The visitor's id begins with its birth in base 36, so it knows when its 13 months are over.
  const visitor = () => {
    const cookies = allowed() && !gpc;
    let id = cookies && (/tl_v=([^;]+)/.exec(doc.cookie) || [])[1] || get('v');
    if (!(parseInt(id, 36) > now() - LIFE)) id = now().toString(36) + '.' + random();
    put('v', id);
    if (cookies) bake(id, (parseInt(id, 36) + LIFE - now()) / 1e3 | 0);
    return id;
  };
  const session = () => {
    const [id, seen] = get('s').split(' ');
    const same = now() - seen < 18e5 ? id : random();
    put('s', same + ' ' + now());
    return same;
  };

  // The queue: at most 100 events, stored under a name of this page's own so that tabs do not overwrite each other.
  const own = 'q' + random();
  let queue = [], timer, busy, wait = 500;
  const save = () => put(own, JSON.stringify(queue));
  const pack = events => JSON.stringify({
    key: option.key, sentAt: now(), locale: nav.language, screen: [screen.width, screen.height],
    webdriver: nav.webdriver, gpc, events,
  });
  const later = () => { if (queue[0]) timer ||= setTimeout(flush, wait); };
  const flush = async () => {
    timer = 0;
    if (busy) return;
    const events = queue.slice(0, 25), body = pack(events);
    busy = 1;
    wait = 1e4;
    try {
      // keepalive allows 64 KB: a character has at most 3 bytes
      const answer = await fetch(url, {method: 'POST', body, keepalive: body.length < 2e4});
      if (answer.status < 500) {
        wait = 500;
        queue = queue.filter(event => !events.includes(event));
        save();
      }
    } catch { /* offline */ }
    busy = 0;
    later();
  };
  const emit = (type, more) => {
    if (silent) return;
    queue.push(JSON.parse(JSON.stringify({
      id: random(), type, at: now(), visitor: visitor(), session: session(), user: get('u'),
      group: get('g'), url: location.href, referrer, title: doc.title, consent, ...more,
    })));
    queue = queue.slice(-100);
    save();
    later();
  };

  // Engaged time: the page is visible and its reader did something in the last 30 s.
  let mark, engaged = 0, active = 0;
  const ping = least => {
    const time = performance.now();
    if (mark && time - active < 3e4) engaged += time - mark;
    mark = doc.hidden ? 0 : time;
    if (engaged >= least) { emit('ping', {engaged: engaged | 0, url: here}); engaged = 0; }
  };

  // Page views, also of single-page apps: the history API and Back; with data-hash the part after # counts too.
  let referrer = doc.referrer, here, last;
  const place = () => 'hash' in option ? location.href : location.href.split('#')[0];
  const page = (name, properties) => {
    ping(1e3);  // also starts the stopwatch, for the first page
    if (here) referrer = here;
    here = location.href;
    last = place();
    emit('page', {name, properties});
  };
  // 50 ms: routers set the title after the address
  const auto = () => { if (!('manual' in option) && place() != last) page(); };
  const moved = () => setTimeout(auto, 50);

  const forget = () => {
    for (const name of 'vugs') put(name, '');
    bake('', 0);
  };
  const consented = run => (...args) => { if (allowed()) run(...args); else held.push(() => run(...args)); };
  const api = {
    page,
    track: (name, properties) => emit('track', {name, properties}),
    identify: consented((user, traits) => {
      if (typeof user == 'object') { traits = user; user = 0; }
      if (user) {
        if (get('u') && get('u') != user) forget();
        put('u', user);
      }
      emit('identify', {traits});
    }),
    group: consented((id, traits) => { put('g', id); emit('group', {traits}); }),
    reset: forget,
    consent(categories) {
      if (categories.analytics !== true) {
        forget();
        for (const shelf of [box, memory]) for (const name of stored(shelf)) delete shelf[name];
      }
      consent = categories || {};
      box['tl.c'] = JSON.stringify(consent);
      if (allowed()) {
        for (const name in memory) put(name.slice(3), memory[name]);
        for (const run of held.splice(0)) run();
      }
      emit('track', {name: 'Consent Updated'});
    },
    push: (...calls) => calls.forEach(([name, ...args]) => api[name]?.(...args)),
  };

  const start = () => {
    for (const name of stored(shelf())) {
      if (name[3] == 'q') {
        const text = shelf()[name];
        delete shelf()[name];  // first: should it be broken, then only once
        queue.push(...JSON.parse(text));
      }
    }
    window.touchline = api;
    api.push(...stub);
    for (const name of ['pushState', 'replaceState']) {
      const original = history[name];
      history[name] = (...args) => { original.apply(history, args); moved(); };
    }
    on('popstate', moved);
    on('pageshow', event => { if (event.persisted) page(); });
    for (const name of ['scroll', 'keydown', 'pointermove', 'pointerdown']) {
      on(name, () => { active = performance.now(); }, true);
    }
    on('visibilitychange', () => {
      ping(1e3);
      if (doc.hidden && queue[0]) nav.sendBeacon(url, pack(queue));
    });
    setInterval(() => ping(15e3), 1e3);
    if ('links' in option) on('click', event => {
      const link = event.target.closest('a[href]');
      const name = link && (link.download || FILE.test(link.pathname) ? 'File Downloaded' :
        link.host && link.host != location.host && 'Outbound Link Clicked');
      if (name) api.track(name, {url: link.href});
    }, true);
    if ('forms' in option) on('submit', event => {
      const form = event.target, email = option.forms == 'email' && form.querySelector('[type=email]');
      if (email) api.identify({email: email.value});
      api.track('Form Submitted', {form: form.getAttribute('id') || form.getAttribute('name')});
    }, true);
    auto();
    later();
  };
  if (doc.prerendering) doc.addEventListener('prerenderingchange', start, {once: true});
  else start();
})();
