"use strict";
/* Plays moments in place. All times are those of the whole video, as a player shows them. */
(() => {
  const AFTER_EDGE = 0.002; // seconds: a seek to the very edge of a frame may show the one before
  const sections = [...document.querySelectorAll("section.answer")].filter(
    (section) => section.querySelector("video"),
  );

  const clock = (seconds) => {
    const tenths = Math.round(seconds * 10);
    const [h, m, s] = [Math.floor(tenths / 36000), Math.floor(tenths / 600) % 60, tenths % 600];
    const rest = `${String(Math.floor(s / 10)).padStart(2, "0")}.${s % 10}`;
    return h ? `${h}:${String(m).padStart(2, "0")}:${rest}` : `${m}:${rest}`;
  };

  const setUp = (section) => {
    const video = section.querySelector("video");
    const line = section.querySelector(".timeline");
    const cursor = section.querySelector(".cursor");
    const problem = section.querySelector(".problem");
    const buttons = [...section.querySelectorAll("button.moment")];
    const duration = Number(line.dataset.duration);
    let shift = 0; // seconds of the whole video at the start of what is loaded
    let until = Infinity; // where to stop
    let asked = 0; // number of the last request: an older one gives way
    let whenDone = null;
    let playing = null; // the moment that plays

    const spanOf = (button) => [Number(button.dataset.start), Number(button.dataset.end)];
    const now = () => video.currentTime + shift;

    const load = (button) => {
      const clip = button && button.dataset.clip;
      if (!clip || video.dataset.clip === button.dataset.start) return;
      video.dataset.clip = button.dataset.start;
      shift = Number(button.dataset.clipStart);
      video.src = clip;
    };

    const ready = () =>
      new Promise((resolve) => {
        if (video.readyState >= 1) return resolve();
        video.addEventListener("loadedmetadata", resolve, { once: true });
        video.preload = "auto";
        if (video.networkState !== 2) video.load();
      });

    const go = async (seconds, play) => {
      const request = ++asked;
      await ready();
      if (request !== asked) return;
      video.currentTime = Math.max(0, seconds - shift + AFTER_EDGE);
      if (play) {
        others(section);
        try { await video.play(); } catch (error) { /* the browser wants a click first */ }
      }
    };

    const playMoment = (button, done = null) => {
      load(button);
      const [start, end] = spanOf(button);
      until = end;
      whenDone = done;
      playing = button;
      return go(start, true);
    };

    const seek = (seconds, play = false) => {
      const time = Math.min(Math.max(seconds, 0), duration);
      const inside = buttons.find((b) => spanOf(b)[0] <= time && time < spanOf(b)[1]);
      if (!video.getAttribute("src") && !inside) return; // only moments are in the page
      load(inside);
      until = Infinity;
      whenDone = null;
      playing = null;
      show(time);
      go(time, play);
    };

    const show = (time) => {
      cursor.style.left = `${(100 * Math.min(time, duration)) / duration}%`;
      line.setAttribute("aria-valuenow", time.toFixed(3));
      line.setAttribute("aria-valuetext", clock(time));
      for (const button of buttons) {
        const [start, end] = spanOf(button);
        const current = playing ? button === playing : start <= time && time < end;
        button.setAttribute("aria-current", String(current));
      }
    };

    const watch = () => {
      show(now());
      if (now() >= until - 0.01) {
        video.pause();
        until = Infinity;
        const done = whenDone;
        whenDone = null;
        if (done) done();
      }
      if (!video.paused) requestAnimationFrame(watch);
    };

    video.addEventListener("play", () => requestAnimationFrame(watch));
    video.addEventListener("ended", () => {
      const done = whenDone;
      whenDone = null;
      if (done) done();
    });
    video.addEventListener("seeked", () => show(now()));
    video.addEventListener("loadedmetadata", () => { problem.textContent = ""; });
    video.addEventListener("error", () => {
      if (!video.getAttribute("src")) return;
      problem.textContent =
        "This browser cannot play the video: it was moved, or its format is not for browsers. " +
        "With --embed a page holds the moments themselves.";
      const done = whenDone;
      whenDone = null;
      if (done) done();
    });
    for (const button of buttons) button.addEventListener("click", () => playMoment(button));

    const timeAt = (event) => {
      const box = line.getBoundingClientRect();
      return (duration * (event.clientX - box.left)) / box.width;
    };
    line.addEventListener("pointerdown", (event) => {
      line.setPointerCapture(event.pointerId);
      seek(timeAt(event));
    });
    line.addEventListener("pointermove", (event) => {
      if (line.hasPointerCapture(event.pointerId)) seek(timeAt(event));
    });
    line.addEventListener("keydown", (event) => {
      const step = event.shiftKey ? 0.1 : 1;
      const at = Number(line.getAttribute("aria-valuenow"));
      const keys = {
        ArrowRight: at + step, ArrowUp: at + step, ArrowLeft: at - step, ArrowDown: at - step,
        PageUp: at + 10, PageDown: at - 10, Home: 0, End: duration,
      };
      if (event.key in keys) { seek(keys[event.key]); event.preventDefault(); }
      if (event.key === "Enter" || event.key === " ") {
        if (video.paused) seek(at, true); else video.pause();
        event.preventDefault();
      }
    });
    section.player = { buttons, playMoment, pause: () => { asked += 1; video.pause(); } };
    if (!video.getAttribute("src") && buttons.length) load(buttons[0]);
  };

  const others = (section) => {
    for (const other of sections) if (other !== section) other.player.pause();
  };

  for (const section of sections) setUp(section);

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !/^[1-9]$/.test(event.key)) return;
    if (event.target.closest("input, select, textarea")) return;
    const section = event.target.closest("section.answer") || sections[0];
    const button = section && section.player && section.player.buttons[Number(event.key) - 1];
    if (button) { button.focus(); section.player.playMoment(button); }
  });

  const all = document.getElementById("play-all");
  if (all) {
    const playlist = sections.flatMap((section) =>
      section.player.buttons.map((button) => [section, button]));
    all.hidden = playlist.length === 0;
    const playFrom = (place) => {
      if (place >= playlist.length) return;
      const [section, button] = playlist[place];
      section.scrollIntoView({ block: "nearest" });
      section.player.playMoment(button, () => playFrom(place + 1));
    };
    all.addEventListener("click", () => playFrom(0));
  }
})();
