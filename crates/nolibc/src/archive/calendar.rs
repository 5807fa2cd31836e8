//! Broken-down time. The local time zone is UTC: nothing says otherwise.

use super::errno::fail;
use core::ffi::c_int;
use core::ptr;
use libc::{EOVERFLOW, time_t, tm};

const DAY: time_t = 86_400;

/// The days of 400 years of the Gregorian calendar, of a hundred, and of four.
const DAYS_400: time_t = 146_097;
const DAYS_100: time_t = 36_524;
const DAYS_4: time_t = 1_461;

/// From 1 January 1970 back to 1 March of the year 0, where a leap day is a year's last.
const DAYS_BEFORE_1970: time_t = 719_468;

/// Fills in everything; `None` if the year does not fit.
fn broken_down(time: time_t) -> Option<tm> {
    let (days, second) = (time.div_euclid(DAY), time.rem_euclid(DAY));
    let since_march = days.checked_add(DAYS_BEFORE_1970)?;
    let day_of_era = since_march.rem_euclid(DAYS_400);
    // Without the leap days before it, a day's number tells the year.
    let leap_days = day_of_era / (DAYS_4 - 1) + day_of_era / (DAYS_400 - 1);
    let year_of_era = (day_of_era - leap_days + day_of_era / DAYS_100) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Five months have 153 days, from March on.
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12;
    let year = since_march.div_euclid(DAYS_400) * 400 + year_of_era + time_t::from(month < 2);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    // January and February are the last 306 days after 1 March.
    let from_january = if month < 2 {
        day_of_year - 306
    } else {
        day_of_year + 59 + time_t::from(leap)
    };
    // Everything else is below 400.
    let small = |number: time_t| number as c_int;
    Some(tm {
        tm_sec: small(second % 60),
        tm_min: small(second / 60 % 60),
        tm_hour: small(second / 3600),
        tm_mday: small(day),
        tm_mon: small(month),
        tm_year: c_int::try_from(year - 1900).ok()?,
        // 1 January 1970 was a Thursday.
        tm_wday: small((days + 4).rem_euclid(7)),
        tm_yday: small(from_january),
        tm_isdst: 0,
        tm_gmtoff: 0,
        tm_zone: c"UTC".as_ptr(),
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn gmtime_r(time: *const time_t, result: *mut tm) -> *mut tm {
    // SAFETY: the caller gives a time, and a place for the result.
    unsafe {
        let Some(broken_down) = broken_down(*time) else {
            fail(EOVERFLOW);
            return ptr::null_mut();
        };
        result.write(broken_down);
    }
    result
}

#[unsafe(no_mangle)]
unsafe extern "C" fn localtime_r(time: *const time_t, result: *mut tm) -> *mut tm {
    // SAFETY: the caller's promises are the same.
    unsafe { gmtime_r(time, result) }
}

/// There is no time zone to read.
#[unsafe(no_mangle)]
extern "C" fn tzset() {}
