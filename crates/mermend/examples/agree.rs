use std::io::*;
fn main(){ let c=mermend::Checker::default(); let(mut n,mut bad,mut fbad,mut micros)=(0,0,0,vec![]); let show=std::env::args().any(|a|a=="show");
 if std::env::args().any(|a|a=="samples"){for k in mermend::kinds::KINDS{let r=c.check(k.sample); println!("{} {} {:?} {:?}",k.id,r.valid,r.kind.map(|k|k.id),r.findings); println!("   fast {:?}",r.fast.unwrap().outcome)} return}
 for l in stdin().lines(){let v:serde_json::Value=serde_json::from_str(&l.unwrap()).unwrap(); let code=v["code"].as_str().unwrap(); if v["valid"].is_null()||code.trim_start().starts_with("zenuml"){continue} n+=1;
 let r=c.check(code); let want=v["valid"].as_bool().unwrap(); if r.valid!=want{bad+=1;println!("{} {want} {:?}",v["id"],r.findings)} if r.fast.as_ref().unwrap().valid()!=want{fbad+=1} micros.push(r.mermaid.unwrap().micros);
 if show && !r.valid && n%13==0 { let f=&r.findings[0]; println!("--- {}\n{}\n>>> {} {:?} {} {:?}",v["error"].as_str().unwrap_or(""),code,f.code,&f.span,f.message,f.hint); println!("AT: {:?}",&code[f.span.start..].chars().take(30).collect::<String>()); }
 } micros.sort(); println!("n {n} bad {bad} fast bad {fbad} median {}us p99 {}us",micros[n/2],micros[n*99/100]);}
