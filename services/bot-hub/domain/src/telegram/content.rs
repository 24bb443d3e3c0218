//! What a message carries: which of its fields tells, and what is kept of it.

use super::{
    Content, File, Unreadable,
    fields::{Fields, kind_name},
};

/// What was found in a message.
pub(super) enum Found {
    /// It is kept.
    Kept(Content),
    /// It is not kept; this is the Bot API's name of it.
    NotKept(String),
}

/// Documented content and service messages that are not kept. They go first:
/// some carry a caption, or repeat themselves in another field.
const NOT_KEPT: [&str; 54] = [
    "poll",
    "dice",
    "game",
    "paid_media",
    "story",
    "checklist",
    "invoice",
    "successful_payment",
    "refunded_payment",
    "web_app_data",
    "users_shared",
    "user_shared",
    "chat_shared",
    "write_access_allowed",
    "connected_website",
    "passport_data",
    "pinned_message",
    "new_chat_members",
    "left_chat_member",
    "new_chat_title",
    "new_chat_photo",
    "delete_chat_photo",
    "group_chat_created",
    "supergroup_chat_created",
    "channel_chat_created",
    "message_auto_delete_timer_changed",
    "migrate_to_chat_id",
    "migrate_from_chat_id",
    "proximity_alert_triggered",
    "boost_added",
    "chat_background_set",
    "checklist_tasks_done",
    "checklist_tasks_added",
    "direct_message_price_changed",
    "forum_topic_created",
    "forum_topic_edited",
    "forum_topic_closed",
    "forum_topic_reopened",
    "general_forum_topic_hidden",
    "general_forum_topic_unhidden",
    "giveaway",
    "giveaway_created",
    "giveaway_winners",
    "giveaway_completed",
    "gift",
    "unique_gift",
    "gift_upgrade_sent",
    "paid_message_price_changed",
    "video_chat_scheduled",
    "video_chat_started",
    "video_chat_ended",
    "video_chat_participants_invited",
    "suggested_post_info",
    "suggested_post_paid",
];

/// Fields of a message that say how and by whom it was sent, not what it is.
const ENVELOPE: [&str; 37] = [
    "message_id",
    "message_thread_id",
    "direct_messages_topic",
    "from",
    "sender_chat",
    "sender_boost_count",
    "sender_business_bot",
    "sender_tag",
    "date",
    "business_connection_id",
    "chat",
    "forward_origin",
    "forward_from",
    "forward_from_chat",
    "forward_from_message_id",
    "forward_signature",
    "forward_sender_name",
    "forward_date",
    "is_topic_message",
    "is_automatic_forward",
    "reply_to_message",
    "external_reply",
    "quote",
    "reply_to_story",
    "reply_to_checklist_task_id",
    "via_bot",
    "edit_date",
    "has_protected_content",
    "is_from_offline",
    "is_paid_post",
    "media_group_id",
    "author_signature",
    "paid_star_count",
    "entities",
    "caption_entities",
    "link_preview_options",
    "effect_id",
];

/// Makes content out of its file.
type OfFile = fn(File) -> Content;

/// Finds what a message carries.
pub(super) fn find(message: &Fields<'_>) -> Result<Found, Unreadable> {
    if let Some(kind) = NOT_KEPT.iter().find(|kind| message.has(kind)) {
        return Ok(Found::NotKept((*kind).to_owned()));
    }
    if let Some(content) = kept(message)? {
        return Ok(Found::Kept(content));
    }
    if message.text("text")?.is_some_and(|text| !text.is_empty()) {
        return Ok(Found::Kept(Content::Text));
    }
    let told = |name: &&str| !ENVELOPE.contains(name) && !matches!(*name, "text" | "caption");
    let kind = message.names().filter(told).min();
    Ok(Found::NotKept(kind_name(kind.unwrap_or("empty"))))
}

/// The content other than text. An animation repeats itself as a document and
/// a venue as a location, so they are asked first.
fn kept(message: &Fields<'_>) -> Result<Option<Content>, Unreadable> {
    if message.has("photo") {
        return largest(message).map(|photo| Some(Content::Photo(photo)));
    }
    let plain: [(&str, OfFile); 6] = [
        ("animation", Content::Animation),
        ("voice", Content::Voice),
        ("video", Content::Video),
        ("video_note", Content::VideoNote),
        ("audio", Content::Audio),
        ("document", Content::Document),
    ];
    for (name, content) in plain {
        if let Some(found) = message.object(name)? {
            return file(&found).map(|file| Some(content(file)));
        }
    }
    if let Some(sticker) = message.object("sticker")? {
        let emoji = sticker.maybe_text("emoji");
        return Ok(Some(Content::Sticker { file: file(&sticker)?, emoji }));
    }
    if let Some(venue) = message.object("venue")? {
        return self::venue(&venue).map(Some);
    }
    if let Some(point) = message.object("location")? {
        let (latitude, longitude) = coordinates(&point)?;
        return Ok(Some(Content::Location { latitude, longitude }));
    }
    message.object("contact")?.map(|card| contact(message, &card)).transpose()
}

/// The photo's size with the most pixels; of equals, the last.
fn largest(message: &Fields<'_>) -> Result<File, Unreadable> {
    let sizes = message.need_objects("photo")?;
    let files = sizes.iter().map(file).collect::<Result<Vec<_>, _>>()?;
    let pixels = |file: &File| {
        u64::from(file.width.unwrap_or(0)).saturating_mul(u64::from(file.height.unwrap_or(0)))
    };
    files.into_iter().max_by_key(pixels).ok_or_else(|| message.bad("photo"))
}

fn file(from: &Fields<'_>) -> Result<File, Unreadable> {
    // A round video has one length for both sides.
    let side = from.maybe_u32("length");
    Ok(File {
        file_id: from.need_text("file_id")?,
        unique_id: from.need_text("file_unique_id")?,
        size: from.maybe_u64("file_size"),
        name: from.maybe_text("file_name"),
        mime: from.maybe_text("mime_type"),
        seconds: from.maybe_u32("duration"),
        width: from.maybe_u32("width").or(side),
        height: from.maybe_u32("height").or(side),
    })
}

fn venue(from: &Fields<'_>) -> Result<Content, Unreadable> {
    let (latitude, longitude) = coordinates(&from.need_object("location")?)?;
    Ok(Content::Venue {
        latitude,
        longitude,
        title: from.need_text("title")?,
        address: from.need_text("address")?,
    })
}

/// Latitude and longitude in degrees, inside the globe.
fn coordinates(from: &Fields<'_>) -> Result<(f64, f64), Unreadable> {
    let latitude = from.need_number("latitude")?;
    let longitude = from.need_number("longitude")?;
    if !(-90.0..=90.0).contains(&latitude) {
        return Err(from.bad("latitude"));
    }
    if !(-180.0..=180.0).contains(&longitude) {
        return Err(from.bad("longitude"));
    }
    Ok((latitude, longitude))
}

fn contact(message: &Fields<'_>, card: &Fields<'_>) -> Result<Content, Unreadable> {
    let writer = message.object("from")?.and_then(|from| from.maybe_integer("id"));
    let subject = card.maybe_integer("user_id");
    Ok(Content::Contact {
        phone: card.need_text("phone_number")?,
        first_name: card.need_text("first_name")?,
        last_name: card.maybe_text("last_name"),
        own: subject.is_some() && subject == writer && !message.has("forward_origin"),
    })
}
